import Logging
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue
@testable import NoteSync

/// What jobs write: whether the updates of their records are heap-only, and how many bytes of WAL a job is.
@Suite(.timeLimit(.minutes(2)))
struct WriteCostTests {
    private static let jobs = 10_000
    private static let slots = 64

    @Test func updatesOfRecordsAreHeapOnly() async throws {
        // Of its own: transactions of other databases keep the server from seeing what it may remove. Vacuum would only
        // help.
        let cluster = try await PrivateCluster.start(PrivateCluster.Options(settings: ["autovacuum": "off"]))
        let database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
        try await run(on: database.pool, progress: 3)
        var share = 0.0
        try await eventually("the statistics of the table") {
            let row = try await database.pool.query(
                """
                SELECT n_tup_upd AS updates, n_tup_hot_upd::float8 / greatest(n_tup_upd, 1) AS share
                FROM pg_stat_user_tables WHERE relname = 'sync_jobs'
                """
            )[0]
            share = try row.decode("share")
            return try row.decode("updates", as: Int.self) == Self.jobs * 5
        }
        print("heap-only updates of sync_jobs: \(share)")
        #expect(share >= 0.97)
        await database.pool.shutdown()
        try await cluster.remove()
    }

    @Test func aJobIsSoManyBytesOfWAL() async throws {
        let cluster = try await PrivateCluster.start(
            PrivateCluster.Options(settings: ["full_page_writes": "off", "autovacuum": "off"])
        )
        let database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
        let bytes = try await run(on: database.pool, progress: 0) / Self.jobs
        print("bytes of WAL a job: \(bytes)")
        #expect(bytes <= 1050)
        await database.pool.shutdown()
        try await cluster.remove()
    }

    /// Runs jobs that were inserted by one statement, each with so many changes of its progress.
    ///
    /// - Returns: bytes of WAL from the first claim to the last completion.
    @discardableResult
    private func run(on pool: PostgresPool, progress: Int) async throws -> Int {
        try await pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                error_message, completed_at)
            SELECT gen_random_uuid(), 'user-' || n || '@example.org', 'queued', false, 0, 0, 0, NULL, NULL
            FROM generate_series(1, \(Self.jobs)) AS n
            """
        )
        let claimer = Claimer(
            pool: pool,
            configuration: JobWorkerConfiguration(name: "worker-1.example.org", version: "test"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let start = try await position(pool)
        var held = try await claimer.claim(Self.slots).jobs.map(\.job)
        while !held.isEmpty {
            for step in 0..<progress {
                let counts = JobProgress(total: 100, processed: 10 * step + 1, transaction: Int64(step) + 1)
                _ = try await pool.batch(held.map { .recordProgress(counts, job: $0.id, lease: $0.lease) })
            }
            let finishes = held.map { JobFinish(.completed, of: $0, backoff: Backoff(base: .zero, cap: .zero)) }
            let order = try await claimer.order(Self.slots)
            let claimed = try await pool.finish(finishes.sorted { $0.id < $1.id }, claiming: order.query).claimed
            held = try claimed.map { try claimer.batch($0, of: order).0.jobs.map(\.job) } ?? []
            if held.isEmpty { held = try await claimer.claim(Self.slots).jobs.map(\.job) }
        }
        return try await position(pool) - start
    }

    private func position(_ pool: PostgresPool) async throws -> Int {
        let rows = try await pool.query("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS position")
        return try rows[0].decode("position")
    }
}
