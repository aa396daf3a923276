import FlowControl
import JobQueue
import ServiceHealth
import Support

extension JobHold {
    /// Why the job does not run, and what shows more of it.
    var text: String {
        switch self {
        case .paused(let pause): "the end of a pause: \(pause.text)"
        case .snoozed(let gate, let time) where gate.outOfOrderSince != nil:
            "the gate \(gate.name), which is out of order; looked at again \(TimeText.full(time)); see syncctl gates"
        case .snoozed(let gate, let time): "the gate \(gate.name), until \(TimeText.full(time)); see syncctl gates"
        case .later(let time, let reason?): "its next attempt, \(TimeText.full(time)), after: \(reason)".singleLine
        case .later(let time, nil): "its time, \(TimeText.full(time))"
        case .running(let id): "job \(id) of the same user, which runs"
        case .noWorker: "a worker: none is running"
        case .endedPause(let pause):
            "its turn after a pause that is over; a worker brings it back within half of SYNC_LEASE. The pause was: "
                + pause.text
        case .gate(let gate): gate.text
        case .claimsHeld(let since, let peers):
            "a worker that claims jobs: all hold their claims, the first since \(TimeText.full(since)), as they do not reach "
                + "\(Peer.words(for: peers)), or another is to find out whether it is back; see their logs and syncctl gates"
        case .claimsFail(let since):
            "a worker that can claim jobs: the database refuses the claims or results of all since \(TimeText.full(since)); their logs say why"
        case .slot(isFree: true):
            "a worker with a free slot to claim it, an earlier job of the same user, or a session that has its row locked; "
                + "syncctl why tells which"
        case .slot(isFree: false): "a slot, all of which are taken, or an earlier job of the same user"
        }
    }

    /// What whoever does not want to wait can do; nil: nothing is wrong.
    var advice: String? {
        switch self {
        case .paused(let pause): "End it with: \(pause.scope.resumption)"
        case .snoozed(let gate, _), .gate(let gate):
            gate.outOfOrderSince == nil
                ? "Open it with: syncctl gates open \(gate.name)"
                : "It goes on by itself once that peer is back; see: syncctl gates"
        case .noWorker: "Start one: sync-worker"
        case .claimsHeld, .endedPause: "It goes on by itself."
        case .claimsFail: "See the workers' logs; for missing rights run: deploy/roles.sql"
        case .later, .running, .slot: nil
        }
    }

    /// The same for the line of a job that is watched; nil: its row says as much.
    fileprivate var watchedText: String? {
        switch self {
        case .later, .slot(isFree: true): nil
        default: text
        }
    }

    var json: JSONValue {
        switch self {
        case .paused(let pause): ["kind": "pause", "pause": pause.json]
        case .snoozed(let gate, let time) where gate.outOfOrderSince != nil:
            ["kind": "outage", "gate": .string(gate.name), "next_look_at": .time(time)]
        case .snoozed(let gate, let time): ["kind": "gate", "gate": .string(gate.name), "until": .time(time)]
        case .later(let time, let reason): ["kind": "due", "until": .time(time), "reason": .string(reason)]
        case .running(let id): ["kind": "running_job", "job_id": .string(id.description)]
        case .noWorker: ["kind": "no_worker"]
        case .endedPause(let pause): ["kind": "ended_pause", "pause": pause.json]
        case .gate(let gate) where gate.outOfOrderSince != nil: ["kind": "outage", "gate": .string(gate.name)]
        case .gate(let gate): ["kind": "gate", "gate": .string(gate.name), "until": .time(gate.closedUntil)]
        case .claimsHeld(let since, let peers):
            ["kind": "claims_held", "since": .time(since), "peers": .array(peers.map { .string($0) })]
        case .claimsFail(let since): ["kind": "claims_fail", "since": .time(since)]
        case .slot: ["kind": "slot"]
        }
    }
}

extension [JobHold] {
    /// What a job that is watched waits for, all of it; nil: its row says as much.
    var watchedText: String? {
        guard let last, count > 1 || last.watchedText != nil else { return nil }
        return "waits for \((dropLast().map(\.text.withoutFullStop) + [last.text]).joined(separator: "; and for "))"
    }
}

extension ClosedGate {
    /// All of it in a clause.
    var text: String {
        if let since = outOfOrderSince {
            return "the gate \(name), which is out of order since \(TimeText.full(since)): \(reason)".singleLine
        }
        let until = closedUntil.map { ", closed until \(TimeText.full($0))" } ?? ""
        return "the gate \(name)\(until)\(closedBy.map { " by \($0)" } ?? ""): \(reason)".singleLine
    }

    /// The same beside what a running job does.
    var briefText: String {
        guard outOfOrderSince == nil else { return "the gate \(name) is out of order" }
        return "the gate \(name) is closed\(closedUntil.map { " until \(TimeText.full($0))" } ?? "")"
    }
}
