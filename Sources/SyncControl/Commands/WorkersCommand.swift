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

            Example:
              syncctl workers
            """
    )

    @OptionGroup var json: JSONOption

    func run(_ session: DatabaseSession) async throws {
        let workers = try await session.jobs.workers()
        if json.isWanted {
            try JSONValue.array(workers.map(Self.json)).print()
        } else if workers.isEmpty {
            StandardStream.error.note("No worker runs. Start one: sync-worker")
        } else {
            try StandardStream.output.write(Self.table(workers).text(width: StandardStream.output.width))
        }
        if !json.isWanted, let useful = try await session.pool.usefulWorkers() {
            let number = "\(useful.isAtLeast ? "at least " : "")\(Count.of(useful.workers, "worker"))"
            StandardStream.error.note(
                "The backlog can use \(number) now: \(Count.of(useful.slots, "job")) can run at once."
            )
            for pause in try await PauseList(pool: session.pool).ofEverything() {
                StandardStream.error.note("No job begins: \(pause.text)")
            }
        }
    }

    private static func json(_ worker: WorkerRecord) -> JSONValue {
        [
            "worker": .string(worker.name), "instance": .string(worker.instance.description),
            "version": .string(worker.version), "slots": .int(worker.slots),
            "running": .int(worker.running), "started_at": .time(worker.startedAt),
            "last_seen_at": .time(worker.lastSeenAt), "silent_seconds": .int(Int(worker.silence.components.seconds)),
            "is_silent": .bool(worker.isSilent), "listening": worker.isListening.map(JSONValue.bool) ?? .null,
            "claims_held_since": .time(worker.claimsHeldSince),
        ]
    }

    /// Why a worker that is there takes no job.
    private static func remark(_ worker: WorkerRecord) -> String? {
        guard !worker.isSilent, let since = worker.claimsHeldSince else { return nil }
        return
            "claims no jobs since \(TimeText.full(since)): it does not reach a peer, or another worker is to find out whether one is "
            + "back; see its log and syncctl gates"
    }

    private static func table(_ workers: [WorkerRecord]) -> TextTable {
        var table = TextTable([
            .init(title: "WORKER"), .init(title: "VERSION"), .init(title: "BUSY", alignment: .right),
            .init(title: "SLOTS", alignment: .right), .init(title: "STARTED"), .init(title: "LAST SEEN"),
        ])
        for worker in workers {
            table.add(
                worker.label(among: workers),
                worker.version,
                "\(worker.running)",
                "\(worker.slots)",
                TimeText.full(worker.startedAt),
                "\(TimeText.rough(worker.silence)) ago\(worker.isSilent ? ", silent" : worker.isListening == false ? ", deaf" : "")",
                remark: remark(worker)
            )
        }
        return table
    }
}
