import ArgumentParser
import FlowControl
import Foundation
import JobQueue
import Support

/// `syncctl workers`.
struct WorkersCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "List the workers: who lives, what each runs and how that goes, and since when one is silent.",
        discussion: """
            STATE is alive, silent (for less than a minute: it may live, cut off from the database) or dead, and whether it takes \
            jobs. Below a worker stands each job that it runs: notes settled, at what rate, when something last came of it, and how \
            long its lease lasts unless it is renewed. A job of which nothing has come for five minutes, or whose worker is silent, \
            is marked with ! and since when.

            Below it stands how many workers the backlog can use: a user's jobs run one at a time, and what is paused or waits for \
            a closed peer can't run. The metric sync_useful_workers says the same.

            BUSY counts no job of a worker that is silent: others take them over. --json has the backlog too.

            Example:
              syncctl workers
            """
    )

    @OptionGroup var json: JSONOption

    /// Running jobs that are shown at most.
    private static let runsRead = 1000

    func run(_ session: DatabaseSession) async throws {
        let workers = try await session.jobs.workers()
        let runs = WorkerRuns(
            runs: try await session.jobs.runs(of: workers, limit: Self.runsRead),
            now: try await session.jobs.databaseTime()
        )
        let useful = try await session.pool.usefulWorkers()
        let pauses = try await PauseList(pool: session.pool).ofEverything()
        guard !json.isWanted else { return try Self.json(workers, runs, useful, pauses).print() }
        if workers.isEmpty {
            let last = try await session.jobs.lastWorker().map {
                " The last one, \($0.name), \($0.verb) at \(TimeText.full($0.at))."
            }
            StandardStream.error.note("No worker is running.\(last ?? "") Start one: sync-worker")
        } else {
            let isAnyHeld = workers.contains { !$0.isSilent && $0.claimsHeldSince != nil }
            let peers = isAnyHeld ? try await session.jobs.failingPeers() : []
            let table = WorkerTable.table(workers, runs, failing: peers)
            try StandardStream.output.write(table.text(on: .output))
        }
        for run in runs.withoutWorker { StandardStream.error.note(runs.text(of: run)) }
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

    private static func json(
        _ workers: [WorkerRecord],
        _ runs: WorkerRuns,
        _ useful: UsefulWorkers?,
        _ pauses: [Pause]
    ) -> JSONValue {
        let backlog: JSONValue? = useful.map { useful in
            [
                "useful_workers": .int(useful.workers), "useful_slots": .int(useful.slots),
                "is_at_least": .bool(useful.isAtLeast),
            ]
        }
        return [
            "workers": .array(workers.map { json($0, runs) }),
            "jobs_without_worker": .array(runs.withoutWorker.map(runs.json)), "backlog": backlog ?? .null,
            "pauses": .array(pauses.map(\.json)),
        ]
    }

    private static func json(_ worker: WorkerRecord, _ runs: WorkerRuns) -> JSONValue {
        [
            "worker": .string(worker.name), "instance": .string(worker.instance.description),
            "version": .string(worker.version), "slots": .int(worker.slots),
            "running": .int(worker.running), "busy": .int(worker.busy), "started_at": .time(worker.startedAt),
            "last_seen_at": .time(worker.lastSeenAt), "silent_seconds": .int(Int(worker.silence.components.seconds)),
            "is_silent": .bool(worker.isSilent), "listening": worker.isListening.map(JSONValue.bool) ?? .null,
            "claims_held_since": .time(worker.claimsHeldSince),
            "claims_failing_since": .time(worker.claimsFailingSince), "state": .string(worker.state),
            "jobs": .array(runs.of(worker).map(runs.json)),
        ]
    }
}
