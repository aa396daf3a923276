import ChaosChecker
import Fernet
import Foundation
import Logging
import NoteSync
import Postgres
import TestSupport

/// The database of a run: what operators and the gateway do in it, and what is read of it when the run is over.
struct Ledger: Sendable {
    let pool: PostgresPool

    /// `application_name` of these connections.
    static let applicationName = "test"

    init(servers: Servers, database: String) {
        let address = Servers.connectionString(
            database: database,
            ports: servers.all.map(\.port),
            application: Self.applicationName
        )
        pool = PostgresPool(
            // What is set for the role is for the workers.
            configuration: PostgresConfiguration(
                connectionString: address + "&options=-c%20statement_timeout%3D0",
                requiresWriting: true
            ),
            size: 10,
            maximumReconnectDelay: .milliseconds(500),
            logger: .silent
        )
    }

    func begin() async throws {
        try await pool.withConnection { try await $0.runScript(HistoryTriggers.script) }
    }

    func addUser(_ user: String, database: String, secrets: Secrets) async throws {
        let stored = StoredSecret(keyRing: try FernetKeyRing(secrets.key))
        try await pool.execute(
            """
            INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
            VALUES (\(user), \(try stored.encrypt(secrets.googleToken(of: user))),
                \(try stored.encrypt(secrets.notionToken(of: user))), \(database))
            """
        )
    }

    // MARK: What people do

    /// Puts a job into the queue as the gateway does. A repetition changes nothing.
    func insertJob(_ id: UUID, user: String, full: Bool) async throws {
        try await pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                error_message, completed_at)
            VALUES (\(id), \(user), 'queued', \(full), 0, 0, 0, NULL, NULL)
            ON CONFLICT DO NOTHING
            """
        )
    }

    func cancelJob(_ choice: Int) async throws {
        try await pool.execute(
            """
            UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = (
                SELECT job_id FROM sync_jobs WHERE status IN ('queued', 'running')
                ORDER BY md5(job_id::text || \(choice)::text) LIMIT 1)
            """
        )
    }

    /// Any job, one that is running too.
    func retryJob(_ choice: Int) async throws {
        try await pool.execute(
            """
            UPDATE sync_jobs SET status = 'queued' WHERE job_id = (
                SELECT job_id FROM sync_jobs ORDER BY md5(job_id::text || \(choice)::text) LIMIT 1)
            """
        )
    }

    /// Deletes a job, whatever it does, and puts it in again under the same number.
    func reinsertJob(_ choice: Int) async throws {
        try await pool.withTransaction { connection in
            let row = try await connection.query(
                """
                SELECT job_id, user_id, full_sync FROM sync_jobs ORDER BY md5(job_id::text || \(choice)::text) LIMIT 1
                FOR UPDATE
                """
            ).first
            guard let row else { return }
            let id: UUID = try row.decode("job_id")
            try await connection.execute("DELETE FROM sync_logs WHERE job_id = \(id)")
            try await connection.execute("DELETE FROM sync_jobs WHERE job_id = \(id)")
            try await connection.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, full_sync)
                VALUES (\(id), \(try row.decode("user_id", as: String.self)), 'queued', \(try row.decode("full_sync", as: Bool.self)))
                """
            )
        }
    }

    func deleteStates(of user: String) async throws {
        try await pool.execute("DELETE FROM sync_state WHERE user_id = \(user)")
    }

    /// As the admin interface does when a user names another database.
    func setDatabase(_ database: String, of user: String) async throws {
        try await pool.execute("UPDATE credentials SET notion_database_id = \(database) WHERE user_id = \(user)")
    }

    func deleteState(_ choice: Int) async throws {
        try await pool.execute(
            """
            DELETE FROM sync_state WHERE id = (
                SELECT id FROM sync_state ORDER BY md5(id::text || \(choice)::text) LIMIT 1)
            """
        )
    }

    func terminateBackends(of worker: String) async throws {
        _ = try await pool.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = \(worker)"
        )
    }

    func terminateBackend(_ choice: Int) async throws {
        _ = try await pool.query(
            """
            SELECT pg_terminate_backend(pid) FROM (
                SELECT pid FROM pg_stat_activity
                WHERE datname = current_database() AND application_name <> \(Self.applicationName)
                ORDER BY md5(pid::text || \(choice)::text) LIMIT 1) AS chosen
            """
        )
    }

    func terminateWorkers() async throws {
        _ = try await pool.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name <> \(Self.applicationName)
            """
        )
    }

    /// Cancels whatever a worker's sessions do, every now and then.
    func cancelStatements(of worker: String, for length: Duration) async throws {
        let end = ContinuousClock.now + length
        while ContinuousClock.now < end {
            _ = try await pool.query(
                """
                SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                WHERE application_name = \(worker) AND state <> 'idle' ORDER BY random() LIMIT 1
                """
            )
            await Clock.pause(milliseconds: 20)
        }
    }

    /// Has a worker's claims take a while, or no longer.
    func slowClaims(of worker: String, _ areSlow: Bool) async throws {
        if areSlow {
            try await pool.execute("INSERT INTO chaos_slow_claims VALUES (\(worker)) ON CONFLICT DO NOTHING")
        } else {
            try await pool.execute("DELETE FROM chaos_slow_claims WHERE worker = \(worker)")
        }
    }

    /// Whether a worker is in the middle of a claim that takes a while.
    func isClaiming(_ worker: String) async throws -> Bool {
        try await !pool.query(
            "SELECT FROM pg_stat_activity WHERE application_name = \(worker) AND wait_event = 'PgSleep'"
        ).isEmpty
    }

    /// Refuses that any worker ends a job, of those that run.
    ///
    /// - Returns: nil if none runs.
    func refuseEnd(_ choice: Int) async throws -> UUID? {
        try await pool.query(
            """
            INSERT INTO chaos_refused
            SELECT job_id FROM sync_jobs WHERE status = 'running'
            ORDER BY md5(job_id::text || \(choice)::text) LIMIT 1
            ON CONFLICT DO NOTHING RETURNING job_id
            """
        ).first?.decode("job_id")
    }

    func acceptEnd(of job: UUID) async throws {
        try await pool.execute("DELETE FROM chaos_refused WHERE job_id = \(job)")
    }

    /// Nothing is slow, limited or refused any more: what was set for a time may have been set anew by a server that
    /// had not heard of its end, or could not be taken back.
    func settle() async throws {
        try await pool.execute("DELETE FROM chaos_refused")
        try await pool.execute("DELETE FROM chaos_slow_claims")
        try await limitStatements(to: nil)
        try await terminateWorkers()
    }

    /// Sets how long statements may take in the sessions of workers to come; nil for as long as they want.
    func limitStatements(to limit: Duration?) async throws {
        // A value can't be bound in it.
        let change = limit.map { "SET statement_timeout = \(Int($0 / .milliseconds(1)))" } ?? "RESET statement_timeout"
        try await pool.withConnection { try await $0.runScript("ALTER ROLE postgres \(change)") }
    }

    /// Lets every queued job be due, as an operator does who does not want to wait for a back-off.
    func hurry() async throws {
        try await pool.execute(
            "UPDATE sync_jobs SET run_at = now() WHERE status = 'queued' AND run_at > now() + interval '200 milliseconds'"
        )
    }

    /// What `syncctl unknown retry` does, for all, also for those that nobody has found to be unknown yet.
    func retryUnknown() async throws {
        let writes = UnknownWrites(pool: pool)
        for write in try await writes.list() { _ = try await writes.retry(user: write.userID, note: write.noteID) }
    }

    /// Whether the outcome of a write is unknown.
    func hasUnknownWrites() async throws -> Bool {
        try await !pool.query("SELECT FROM sync_intents LIMIT 1").isEmpty
    }

    func openJobs() async throws -> Int {
        let query: PostgresQuery = "SELECT count(*) FROM sync_jobs WHERE status IN ('queued', 'running')"
        return try await pool.query(query).first?.decode(at: 0) ?? 0
    }
}

extension Logger {
    /// Of connections that nobody looks at.
    static let silent = Logger(label: "chaos", factory: { _ in SwiftLogNoOpLogHandler() })
}
