import JobQueue

extension JobWait {
    /// What a job waits for, in few words.
    ///
    /// - Parameter short: identifiers as they are shown.
    func text(short: [JobID: String] = [:]) -> String {
        func name(_ id: JobID) -> String { short[id] ?? String(id.description.prefix(8)) }
        return switch self {
        case .paused(let pause):
            if case .user = pause.scope {
                "the end of its user's pause"
            } else {
                "the end of the pause of \(pause.scope.text)"
            }
        case .gate(let gate):
            "gate \(gate.name)\(gate.outOfOrderSince == nil ? "" : ", out of order")"
        case .retrying: "its next attempt"
        case .dueLater: "its time"
        case .behind(let id): "job \(name(id)), which runs"
        case .behindQueued(let id): "job \(name(id)) before it"
        case .parked: "its turn"
        case .locked(let processID): processID.map { "a lock of session \($0)" } ?? "a lock of a prepared transaction"
        case .notInQueue: "repair: it has no queue row"
        case .noWorker: "a worker: none is running"
        case .claimsHeld: "workers, which all hold their claims"
        case .claimsFail: "workers, whose claims all fail"
        case .slotsFull: "a free slot"
        case .claimable: "the next claim"
        case .workerLost: "rescue: its worker has stopped answering"
        case .runOutside: "whoever set it to running"
        }
    }

    /// The word of `syncctl why` for it.
    var code: String {
        switch self {
        case .paused: "paused"
        case .gate(let gate): gate.outOfOrderSince == nil ? "gate_closed" : "breaker_open"
        case .retrying: "retrying"
        case .dueLater: "due_later"
        case .behind: "behind_running_job"
        case .behindQueued: "behind_queued_job"
        case .parked: "parked"
        case .locked: "locked"
        case .notInQueue: "not_in_queue"
        case .noWorker: "no_worker"
        case .claimsHeld: "claims_held"
        case .claimsFail: "claims_failing"
        case .slotsFull: "workers_full"
        case .claimable: "claimable"
        case .workerLost: "worker_lost"
        case .runOutside: "run_outside"
        }
    }

    var json: JSONValue { ["reason": .string(code), "text": .string(text().singleLine)] }
}
