import Foundation
import Logging
import Postgres
import SyncSchema
import TestSupport

@testable import JobQueue

/// A database of its own with the queue in it.
struct QueueFixture {
    let database: TestDatabase
    var pool: PostgresPool { database.pool }
    var client: JobClient { JobClient(pool: pool) }

    init() async throws {
        database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
    }

    /// As the gateway does it.
    @discardableResult
    func insert(_ user: String, full: Bool = false) async throws -> JobID {
        let id = JobID()
        try await pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                error_message, completed_at)
            VALUES (\(id.rawValue), \(user), 'queued', \(full), 0, 0, 0, NULL, NULL)
            """
        )
        return id
    }

    func job(_ id: JobID) async throws -> JobRecord {
        guard let job = try await client.job(id) else { throw JobQueueError(.jobNotFound, "no job \(id)") }
        return job
    }

    func configuration(
        _ name: String = "w1",
        slots: Int = 4,
        lease: Duration = .seconds(60),
        poll: Duration = .seconds(60),
        retention: Duration = .seconds(30 * 86400)
    ) -> JobWorkerConfiguration {
        JobWorkerConfiguration(
            name: name,
            version: "test",
            slots: slots,
            lease: lease,
            pollInterval: poll,
            shutdownGrace: .seconds(5),
            retention: retention,
            backoff: Backoff(base: .milliseconds(10), cap: .milliseconds(20))
        )
    }

    func claimer(_ name: String = "w1", lease: Duration = .seconds(60)) -> Claimer {
        // On a busy machine every claim takes long, which says nothing of the head.
        Claimer(
            pool: pool,
            configuration: configuration(name, lease: lease),
            cheapHead: .seconds(60),
            logger: Logger(label: "test")
        )
    }

    func unparker() -> Unparker {
        Unparker(pool: pool, wake: Wakeup(), logger: Logger(label: "test"))
    }

    func claim(_ slots: Int = 1, worker: String = "w1", lease: Duration = .seconds(60)) async throws -> [ClaimedJob] {
        try await claimer(worker, lease: lease).claim(slots).jobs.map(\.job)
    }

    /// Ends a run as a worker would.
    func finish(_ job: ClaimedJob, _ outcome: JobOutcome) async throws -> [String] {
        let finish = JobFinish(outcome, of: job, backoff: Backoff(base: .seconds(100), cap: .seconds(100)))
        while true {
            let statuses = try await pool.finish([finish]).finished.map { try $0.decode("status", as: String?.self) }
            // NULL: a claim that has just missed the job holds its record for a moment.
            if !statuses.contains(nil) { return statuses.compactMap { $0 } }
        }
    }

    /// Makes jobs that came at once stand as if they had come one by one: none waits behind another.
    func unparkAll() async throws {
        try await pool.execute("UPDATE sync_queue SET is_parked = false WHERE is_parked")
    }

    /// Lets rows in as they were before there were bounds.
    func liftBounds() async throws {
        try await pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER sync_jobs_inserting")
    }

    func count(_ condition: PostgresQuery) async throws -> Int {
        try await pool.query(condition).first?.decode(at: 0) ?? -1
    }
}
