import FlowControl
import Foundation
import JobQueue
import NoteSync
import Postgres

/// The whole at one look: queue, workers, running jobs, gates, failures and rates.
struct TopState: Sendable {
    /// By the database's clock.
    let now: Date
    let queue: QueueOverview
    let rates: JobRates
    let workers: [WorkerRecord]
    let runs: [JobRun]
    /// Those that are closed or slowed, or of a peer that is out of order.
    let gates: [GateRecord]
    let pauses: [Pause]
    let pausedUsers: Int
    /// Of the last hour, the most frequent first.
    let failures: [FailureCause]
    let useful: UsefulWorkers?

    private static let mostRuns = 200
    private static let mostGates = 100
    private static let mostFailures = 50
    private static let failureAge = Duration.seconds(3600)

    /// - Throws: `PostgresError`.
    static func load(_ session: DatabaseSession) async throws -> TopState {
        let jobs = session.jobs
        let workers = try await jobs.workers()
        let pauses = PauseList(pool: session.pool)
        return TopState(
            now: try await jobs.databaseTime(),
            queue: try await jobs.overview(),
            rates: try await jobs.rates(),
            workers: workers,
            runs: try await jobs.runs(of: workers, limit: mostRuns),
            gates: try await GateList(pool: session.pool).gates(isComplete: false, limit: mostGates)
                .filter { $0.isClosed || $0.isSlowed },
            pauses: try await pauses.ofEverything(),
            pausedUsers: try await pauses.counts()["user"] ?? 0,
            failures: try await jobs.failureCauses(within: failureAge, limit: mostFailures),
            useful: try await session.pool.usefulWorkers()
        )
    }

    /// Notes settled a second by all running jobs together, as far as that can be told.
    var notesPerSecond: Double { runs.compactMap { $0.notesPerSecond(now: now) }.reduce(0, +) }

    var json: JSONValue {
        let running = WorkerRuns(runs: runs, now: now)
        return [
            "at": .time(now), "queue": queueJSON, "rates": ratesJSON, "workers": .array(workers.map(Self.json)),
            "running": .array(runs.map { running.json($0) }), "gates": .array(gates.map(Self.json)),
            "pauses": .array(pauses.map(\.json)), "paused_users": .int(pausedUsers),
            "failures": .array(failures.map(Self.json)),
            "useful_workers": useful.map { JSONValue.int($0.workers) } ?? .null,
        ]
    }

    private var queueJSON: JSONValue {
        [
            "due": .int(queue.due), "oldest_due_at": .time(queue.oldestDueAt), "later": .int(queue.later),
            "gated": .int(queue.gated), "parked": .int(queue.parked), "running": .int(queue.running),
        ]
    }

    private var ratesJSON: JSONValue {
        func json(_ ended: JobRates.Ended) -> JSONValue {
            ["completed": .int(ended.completed), "failed": .int(ended.failed)]
        }
        return [
            "last_minute": json(rates.minute), "last_ten_minutes": json(rates.tenMinutes),
            "last_hour": json(rates.hour), "notes_per_second": .double(notesPerSecond),
        ]
    }

    private static func json(_ worker: WorkerRecord) -> JSONValue {
        [
            "worker": .string(worker.name), "instance": .string(worker.instance.description),
            "state": .string(worker.state), "running": .int(worker.busy), "slots": .int(worker.slots),
        ]
    }

    private static func json(_ gate: GateRecord) -> JSONValue {
        [
            "gate": .string(gate.name.rawValue), "state": .string(gate.state),
            "reason": .string(gate.openedAt == nil ? gate.reason : gate.openedReason),
        ]
    }

    private static func json(_ cause: FailureCause) -> JSONValue {
        [
            "cause": .string(cause.key), "count": .int(cause.count), "users": .int(cause.users),
            "latest_at": .time(cause.latestAt), "error": .string(cause.error),
        ]
    }
}
