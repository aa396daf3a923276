import Foundation
import Logging
import Postgres
import Support
import SyncSchema
import TestSupport
import Testing

@testable import JobQueue
@testable import NoteSync

/// Lines of a job's log that the database refuses: what happened to notes is recorded without them.
@Suite(.timeLimit(.minutes(2)))
struct RefusedLogTests {
    @Test(arguments: [true, false]) func recordsOfNotesGoWithoutIt(isSequenceSetBack: Bool) async throws {
        let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
        let job = JobID()
        try await database.pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status, lease) VALUES (\(job.rawValue), 'ada', 'running', 7)"
        )
        try await database.pool.withConnection { connection in
            try await connection.runScript(
                isSequenceSetBack
                    ? """
                    INSERT INTO sync_logs (job_id, level, message)
                    SELECT job_id, 'INFO', 'line' FROM sync_jobs, generate_series(1, 1000);
                    SELECT setval('sync_logs_id_seq', 1, false);
                    """
                    : """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
                    CREATE TRIGGER refuse BEFORE INSERT ON sync_logs FOR EACH ROW EXECUTE FUNCTION refuse();
                    """
            )
        }
        let log = LogLines()
        let context = JobContext(
            job: NeverSentTests.claimed(job),
            lease: LeaseGuard(validUntil: .now + .seconds(600)),
            stop: StopSignal(),
            logger: Logger(label: "test") { _ in LineLogHandler(lines: log) }
        )
        let journal = NoteJournal(pool: database.pool, context: context, maximumLogLines: 10_000)
        let line = LogLine(level: .info, message: "begun")
        try await journal.record(JournalEntry(begun: NeverSentTests.intent(), logs: [line]))
        try await journal.record(JournalEntry(logs: [line]))
        #expect(try await database.pool.query("SELECT FROM sync_intents").count == 1)
        let warnings = log.lines.filter { $0.hasPrefix("warning") }
        #expect(warnings.count == 1, "\(warnings)")
        #expect(warnings.first?.contains("which are lost") == true)
        await database.pool.shutdown()
    }

    /// A surplus page, and a request of which nothing was heard, are on record without what is said of them.
    @Test(arguments: [true, false]) func findingsGoWithoutIt(isRefused: Bool) async throws {
        let database = try await PrivateCluster.shared().createDatabase(migrations: SyncSchema.migrations)
        let job = JobID().rawValue
        let pool = database.pool
        try await pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status, lease) VALUES (\(job), 'ada', 'running', 7)"
        )
        try await pool.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at)
            VALUES ('ada', 'n1', 'p1', now(), now())
            """
        )
        try await pool.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, open_until)
            VALUES ('ada', 'n2', 'create', gen_random_uuid(), '1:a', now(), \(job), 5, now())
            """
        )
        if isRefused {
            try await pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
                    CREATE TRIGGER refuse BEFORE INSERT ON sync_logs FOR EACH STATEMENT EXECUTE FUNCTION refuse();
                    """
                )
            }
        }
        _ = try await pool.query(
            """
            SELECT sync_record_surplus_pages('ada', \(job), ARRAY['n1'], ARRAY['p2'], ARRAY[now()::timestamp], ARRAY['1:a'],
                ARRAY['db'], ARRAY[gen_random_uuid()], true)
            """
        )
        #expect(try await pool.query("SELECT FROM sync_surplus_pages").count == 1)
        #expect(try await pool.query(.markAbandonedIntents(user: nil, recordingGrace: .zero)).count == 1)
        #expect(try await pool.query("SELECT FROM sync_intents WHERE unknown_at IS NOT NULL").count == 1)
        #expect(try await pool.query("SELECT FROM sync_logs").count == (isRefused ? 0 : 2))
        await pool.shutdown()
    }
}
