import ArgumentParser
import FlowControl
import Foundation
import JobQueue
import Support

/// `syncctl workers`.
struct WorkersCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "List the workers: who is there, how busy, and since when silent.",
        discussion: """
            Below it stands how many workers the backlog can use: a user's jobs run one at a time, and what is paused or waits for \
            a closed peer can't run. The metric sync_useful_workers says the same.

            BUSY counts no job of a worker that is silent: others take them over. --json has the backlog too.

            Example:
              syncctl workers
            """
    )

    @OptionGroup var json: JSONOption

    func run(_ session: DatabaseSession) async throws {
        let workers = try await session.jobs.workers()
        let useful = try await session.pool.usefulWorkers()
        let pauses = try await PauseList(pool: session.pool).ofEverything()
        guard !json.isWanted else { return try Self.json(workers, useful, pauses).print() }
        if workers.isEmpty {
            let last = try await session.jobs.lastWorker().map {
                " The last one, \($0.name), \($0.verb) at \(TimeText.full($0.at))."
            }
            StandardStream.error.note("No worker is running.\(last ?? "") Start one: sync-worker")
        } else {
            let isAnyHeld = workers.contains { !$0.isSilent && $0.claimsHeldSince != nil }
            let peers = isAnyHeld ? try await session.jobs.failingPeers() : []
            let table = Self.table(workers, failing: peers)
            try StandardStream.output.write(table.text(width: StandardStream.output.width))
        }
        if workers.allClaimsFailingSince != nil {
            StandardStream.error.note(
                "No worker gets a job: the database refuses their claims or results; see their logs."
            )
        }
        if workers.allClaimsHeldSince != nil {
            StandardStream.error.note("No worker claims jobs: all that are there hold their claims.")
        }
        if let useful {
            let number = "\(useful.isAtLeast ? "at least " : "")\(Count.of(useful.workers, "worker"))"
            StandardStream.error.note(
                "The backlog can use \(number) now: \(Count.of(useful.slots, "job")) can run at once."
            )
        }
        for pause in pauses { StandardStream.error.note("No job begins: \(pause.text)") }
    }

    private static func json(_ workers: [WorkerRecord], _ useful: UsefulWorkers?, _ pauses: [Pause]) -> JSONValue {
        let backlog: JSONValue? = useful.map { useful in
            [
                "useful_workers": .int(useful.workers), "useful_slots": .int(useful.slots),
                "is_at_least": .bool(useful.isAtLeast),
            ]
        }
        return [
            "workers": .array(workers.map(json)), "backlog": backlog ?? .null, "pauses": .array(pauses.map(\.json)),
        ]
    }

    private static func json(_ worker: WorkerRecord) -> JSONValue {
        [
            "worker": .string(worker.name), "instance": .string(worker.instance.description),
            "version": .string(worker.version), "slots": .int(worker.slots),
            "running": .int(worker.running), "busy": .int(worker.busy), "started_at": .time(worker.startedAt),
            "last_seen_at": .time(worker.lastSeenAt), "silent_seconds": .int(Int(worker.silence.components.seconds)),
            "is_silent": .bool(worker.isSilent), "listening": worker.isListening.map(JSONValue.bool) ?? .null,
            "claims_held_since": .time(worker.claimsHeldSince),
            "claims_failing_since": .time(worker.claimsFailingSince),
        ]
    }

    /// Why a worker that is there takes no job.
    private static func remark(_ worker: WorkerRecord, failing peers: [String]) -> String? {
        if !worker.isSilent, let since = worker.claimsFailingSince {
            return "gets no job since \(TimeText.full(since)): the database refuses its claims or results; see its log"
        }
        guard !worker.isSilent, let since = worker.claimsHeldSince else { return nil }
        return
            "claims no jobs since \(TimeText.full(since)): it does not reach \(Peer.words(for: peers)), or another worker is to find "
            + "out whether it is back; see its log and syncctl gates"
    }

    private static func table(_ workers: [WorkerRecord], failing peers: [String]) -> TextTable {
        var table = TextTable([
            .init(title: "WORKER"), .init(title: "VERSION"), .init(title: "BUSY", alignment: .right),
            .init(title: "SLOTS", alignment: .right), .init(title: "STARTED"), .init(title: "LAST SEEN"),
        ])
        for worker in workers {
            table.add(
                worker.label(among: workers),
                worker.version,
                "\(worker.busy)",
                "\(worker.slots)",
                TimeText.full(worker.startedAt),
                "\(TimeText.rough(worker.silence)) ago\(worker.isSilent ? ", silent" : worker.isListening == false ? ", deaf" : "")",
                remark: remark(worker, failing: peers)
            )
        }
        return table
    }
}
