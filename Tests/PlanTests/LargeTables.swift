import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport

/// A database that grows from nothing to a million finished jobs and a million states, and is never analyzed by itself.
struct LargeTables {
    /// Finished jobs, and notes' states.
    let rows: Int
    /// Finished jobs of one user that came with one statement, and have one time.
    static let atOnce = 20_000
    /// A place in the middle of them.
    static let amongThose = JobCursor(
        microseconds: 14_610 * 86_400 * 1_000_000,
        id: JobID(UUID(uuid: (128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)))
    )
    /// Jobs that run, and those that are queued.
    static let running = 1000
    static let queued = 10_000
    /// Jobs that are due and wait behind all the others: of a user of their own, and of the user with many.
    static let due = JobID(UUID(uuid: (255, 1, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0)))
    static let dueOfMany = JobID(UUID(uuid: (255, 2, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0)))
    /// Jobs that are due later and come before all others by priority.
    static let dueLater = 200_000

    /// Paused users, more than anybody pauses.
    static let paused = 20_000

    let database: TestDatabase

    static func empty(rows: Int) async throws -> LargeTables {
        let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
        let tables = LargeTables(rows: rows, database: database)
        for table in [
            "sync_jobs", "sync_queue", "sync_state", "sync_cursors", "sync_intents", "sync_failed_notes", "sync_logs",
            "sync_gates", "sync_pauses",
        ] {
            try await database.pool.execute("ALTER TABLE \(identifier: table) SET (autovacuum_enabled = off)")
        }
        return tables
    }

    /// Identifier of job number `n`; the running ones come first, then the finished ones.
    static func job(_ number: Int) -> JobID {
        let digits = String(number, radix: 16)
        let text = String(repeating: "0", count: 12 - digits.count) + digits
        let uuid = "\(text.prefix(8))-\(text.suffix(4))-4000-8000-000000000000"
        return JobID(parsing: uuid) ?? JobID()
    }

    func fill() async throws {
        try await addJobs()
        try await addJobsAtOnce()
        try await addQueued()
        try await addPauses()
        try await database.pool.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, content_hash)
            SELECT 'user-' || n / 1000, 'note-' || n % 1000, 'page-' || n, now(), 'hash'
            FROM generate_series(0, \(rows - 1)) AS n
            """,
            timeout: .none
        )
        try await database.pool.execute(
            """
            INSERT INTO sync_cursors (user_id, keep_modified_at)
            SELECT 'user-' || n, now() FROM generate_series(0, 99999) AS n
            """,
            timeout: .none
        )
        for table in ["sync_intents", "sync_failed_notes"] { try await addNotes(to: table) }
        try await database.pool.execute(
            """
            INSERT INTO sync_gates (gate, rate, burst, next_at)
            SELECT 'notion_writer/token/' || n, 3, 3, now() FROM generate_series(0, 99999) AS n
            """,
            timeout: .none
        )
    }

    private func addPauses() async throws {
        try await database.pool.execute(
            """
            INSERT INTO sync_pauses (scope, key, reason) SELECT 'user', 'paused-' || n, 'r' FROM generate_series(1, \(Self.paused)) AS n
            """
        )
    }

    func analyze() async throws {
        try await database.pool.execute("ANALYZE", timeout: .none)
    }

    private func addJobs() async throws {
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, lease, worker, attempt, run_at, started_at, created_at, completed_at)
            SELECT (lpad(to_hex(n), 12, '0') || '40008000000000000000')::uuid, 'user-' || n,
                CASE WHEN n < \(Self.running) THEN 'running' WHEN n % 50 = 0 THEN 'failed' ELSE 'completed' END,
                CASE WHEN n < \(Self.running) THEN n END, 'w1', 1, t, t,
                timezone('utc', t), CASE WHEN n >= \(Self.running) THEN timezone('utc', t) END
            FROM (SELECT n, now() - interval '20 days' + n * interval '1 second' AS t
                  FROM generate_series(0, \(rows - 1)) AS n) AS past
            """,
            timeout: .none
        )
    }

    private func addJobsAtOnce() async throws {
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, created_at, completed_at)
            SELECT gen_random_uuid(), 'at-once', 'completed', '2040-01-01', now() FROM generate_series(1, \(Self.atOnce))
            """,
            timeout: .none
        )
    }

    private func addQueued() async throws {
        try await database.pool.execute(
            """
            INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at)
            SELECT job_id, user_id, priority, run_at, lease, now() + interval '1 hour' FROM sync_jobs WHERE lease IS NOT NULL
            """,
            timeout: .none
        )
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'parked-' || n % 100 ELSE 'queued-' || n END, 'queued',
                now() - interval '1 hour'
            FROM generate_series(1, \(Self.queued)) AS n
            """,
            timeout: .none
        )
        try await database.pool.execute("UPDATE sync_queue SET is_parked = true WHERE user_id LIKE 'parked-%'")
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at, created_at) VALUES
                (\(Self.due.rawValue), 'waiting', 'queued', now() - interval '30 minutes', now()),
                (\(Self.dueOfMany.rawValue), 'at-once', 'queued', now() - interval '30 minutes', '2041-01-01')
            """
        )
        // Due later, at a lower priority number than all that are due.
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at, priority)
            SELECT gen_random_uuid(), 'later-' || n, 'queued', now() + interval '1 day', -5
            FROM generate_series(1, \(Self.dueLater)) AS n
            """,
            timeout: .none
        )
    }

    private func addNotes(to table: String) async throws {
        let statement: PostgresQuery =
            table == "sync_intents"
            ? """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at,
                job_id, lease)
            SELECT 'other-' || n / 100, 'note-' || n % 100, 'create', gen_random_uuid(), 'hash', now(),
                gen_random_uuid(), 1
            FROM generate_series(1, 50000) AS n
            """
            : """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, keep_modified_at, code, error, job_id)
            SELECT 'other-' || n / 100, 'note-' || n % 100, now(), 'c', 'e', gen_random_uuid()
            FROM generate_series(1, 50000) AS n
            """
        try await database.pool.execute(statement, timeout: .none)
    }
}
