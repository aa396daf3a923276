import Foundation
import Logging
import Postgres
import Support
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue
@testable import NoteSync

/// When the writer last succeeded, as other runs are told.
@Suite(.database(migrations: SyncSchema.migrations), .timeLimit(.minutes(1)))
struct SuccessTimeTests {
    /// A success that seems later than it was would make an outage that began meanwhile look like the fault of its
    /// notes.
    @Test func itIsNotLaterHoweverLongItTakesToTell() async throws {
        let database = try TestDatabase.current
        let job = JobID()
        try await database.pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status, lease) VALUES (\(job.rawValue), 'ada', 'running', 7)"
        )
        let context = JobContext(
            job: NeverSentTests.claimed(job),
            lease: LeaseGuard(validUntil: .now + .seconds(600)),
            stop: StopSignal(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let pool = PostgresPool(configuration: database.configuration, size: 1, logger: context.logger)
        let journal = NoteJournal(pool: pool, context: context, maximumLogLines: 10)
        // One after the other on the only connection: the record of the success, which waits for a lock, somebody else,
        // and the telling.
        let outside = try await database.connect()
        try await outside.runScript("BEGIN; SELECT FROM sync_jobs FOR UPDATE")
        let record = Task {
            var success = JournalEntry.log(.info, "Created a page.")
            success.created = 1
            success.succeededCall = .now
            try await journal.record(success)
        }
        try await eventually("the record to wait") {
            try await !database.pool.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").isEmpty
        }
        let other = Task {
            try await pool.withConnection { connection in
                let now = try await connection.query("SELECT clock_timestamp() AS now")
                try await connection.execute("SELECT pg_sleep(1)")
                return try now[0].decode("now", as: Date.self)
            }
        }
        try await outside.runScript("COMMIT")
        try await record.value
        let later = try await other.value
        var told: Date?
        try await eventually("the telling") {
            told = try await database.pool.query("SELECT succeeded_at FROM sync_peer_successes").first?.decode(at: 0)
            return told != nil
        }
        #expect(try #require(told) < later)
        await outside.close()
        await pool.shutdown()
    }
}
