import Foundation
import Logging
import Postgres
import SyncSchema
import TestSupport

@testable import JobQueue

/// A queue of the test's own, with workers in this process.
///
/// The reports are those of users of other queues on PostgreSQL; each test names the one it is made after.
struct FieldQueue {
    let database: TestDatabase
    var pool: PostgresPool { database.pool }
    var client: JobClient { JobClient(pool: pool) }

    /// - Parameter cluster: a server of the test's own; nil for the one that the tests share.
    init(on cluster: PrivateCluster? = nil) async throws {
        let cluster = if let cluster { cluster } else { try await PrivateCluster.shared() }
        database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
    }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @discardableResult
    func insert(_ user: String) async throws -> JobID {
        let id = JobID()
        try await pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(id.rawValue), \(user), 'queued')"
        )
        return id
    }

    func insert(users count: Int) async throws {
        try await pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status)
            SELECT gen_random_uuid(), 'user-' || n, 'queued' FROM generate_series(1, \(count)) AS n
            """
        )
    }

    func configuration(_ name: String, lease: Duration = .seconds(60), poll: Duration = .seconds(60))
        -> JobWorkerConfiguration
    {
        JobWorkerConfiguration(
            name: name,
            version: "test",
            lease: lease,
            pollInterval: poll,
            shutdownGrace: .seconds(2)
        )
    }

    /// Claims jobs as a worker that does nothing more.
    func claim(_ slots: Int, as name: String = "dead") async throws -> [ClaimedJob] {
        let claimer = Claimer(pool: pool, configuration: configuration(name), logger: Self.quiet)
        return try await claimer.claim(slots).jobs.map(\.job)
    }

    /// The status of a job that somebody ends; nil if he does not hold it.
    func finish(_ job: ClaimedJob, _ outcome: JobOutcome = .completed) async throws -> String? {
        let finish = JobFinish(outcome, of: job, backoff: Backoff(base: .zero, cap: .zero))
        return try await pool.finish([finish]).finished.first?.decode("status")
    }

    func expireLeases() async throws {
        try await pool.execute("UPDATE sync_queue SET lease_expires_at = '-infinity' WHERE lease IS NOT NULL")
    }

    /// Runs a worker while `body` does.
    ///
    /// - Parameter address: how the worker reaches the database, if not as the test does.
    func withWorker(
        _ configuration: JobWorkerConfiguration,
        at address: PostgresConfiguration? = nil,
        logger: Logger = Self.quiet,
        _ handler: @escaping JobHandler,
        while body: () async throws -> Void
    ) async throws {
        let address = address ?? database.configuration
        let pool = PostgresPool(configuration: address, size: 5, logger: logger)
        let worker = JobWorker(
            pool: pool,
            database: address,
            configuration: configuration,
            logger: logger,
            handler: handler
        )
        let running = Task { try await worker.run() }
        let outcome: Result<Void, any Error>
        do {
            try await body()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        running.cancel()
        try await running.value
        await pool.shutdown()
        try outcome.get()
    }

    func wait(for id: JobID, _ status: JobStatus, within limit: Duration = .seconds(20)) async throws {
        try await eventually(within: limit, "the status \(status.rawValue)") {
            try await client.job(id)?.status == status
        }
    }

    func count(_ query: PostgresQuery) async throws -> Int {
        try await pool.query(query).first?.decode(at: 0) ?? -1
    }
}
