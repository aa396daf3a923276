import Foundation
import Postgres
import TestSupport
import Testing

@testable import JobQueue

/// What a role can write into a record: values beyond their bounds are brought back, and jobs that look as if somebody
/// had run them are inserted by who may delete records alone.
@Suite(.timeLimit(.minutes(1)))
struct BoundsTests {
    /// A column, what is written into it, and what is there then.
    private static let columns: [(column: String, given: String, kept: String)] = [
        ("run_at", "'-infinity'", "'1970-01-01 00:00:00+00'"), ("run_at", "'1700-01-01'", "'1970-01-01 00:00:00+00'"),
        ("run_at", "'infinity'", "'infinity'"), ("run_at", "'2020-01-01 00:00:00+00'", "'2020-01-01 00:00:00+00'"),
        ("created_at", "'-infinity'", "'1970-01-01'"), ("created_at", "'infinity'", "'9999-12-31 23:59:59'"),
        ("completed_at", "'4714-11-24 BC'", "'1970-01-01'"),
        ("completed_at", "'294276-12-31'", "'9999-12-31 23:59:59'"),
        ("completed_at", "NULL", "NULL"),
        ("started_at", "'infinity'", "'9999-12-31 23:59:59+00'"),
        ("failed_at", "'-infinity'", "'1970-01-01 00:00:00+00'"),
        ("priority", "32767", "100"), ("priority", "-32768", "-100"), ("priority", "-100", "-100"),
        ("attempt", "2147483647", "1000000"), ("attempt", "-1", "0"),
        ("max_attempts", "2147483647", "1000000"), ("max_attempts", "-2147483648", "0"),
        ("crashes", "-5", "0"), ("max_crashes", "1000001", "1000000"), ("snoozes", "2147483647", "1000000"),
        ("total_notes", "2147483647", "1000000000"), ("processed_notes", "-1", "0"), ("failed_notes", "NULL", "NULL"),
        ("error_message", "repeat('é', 20000)", "repeat('é', 16384)"),
        ("last_error", "repeat('x', 16385)", "repeat('x', 16384)"),
        ("traceparent", "repeat('x', 300)", "repeat('x', 255)"), ("worker", "repeat('x', 300)", "repeat('x', 255)"),
        ("user_id", #"E'a\x01d\na\x7f'"#, "'a?d?a?'"), ("user_id", #"E'known\x01'"#, #"E'known\x01'"#),
    ]

    @Test func whatIsInsertedIsWithinItsBounds() async throws {
        let queue = try await QueueFixture()
        try await addKnownUser(queue)
        for (column, given, kept) in Self.columns {
            let user = column == "user_id" ? "" : "user_id, "
            let value = column == "user_id" ? "" : "'ada', "
            try await run(
                queue,
                "INSERT INTO sync_jobs (job_id, \(user)status, \(column)) VALUES (gen_random_uuid(), \(value)'queued', \(given))"
            )
            try await expect(queue, column, given, kept)
        }
    }

    @Test func whatIsChangedIsWithinItsBounds() async throws {
        let queue = try await QueueFixture()
        try await addKnownUser(queue)
        for (column, given, kept) in Self.columns {
            try await queue.insert("ada")
            try await run(queue, "UPDATE sync_jobs SET \(column) = \(given)")
            try await expect(queue, column, given, kept)
        }
    }

    /// The job is as it should be, and so is its place in the queue.
    private func expect(_ queue: QueueFixture, _ column: String, _ given: String, _ kept: String) async throws {
        let rows = try await queue.pool.query(
            PostgresQuery(
                stringLiteral:
                    "SELECT \(column) IS NOT DISTINCT FROM \(kept) AS is_kept, \(column)::text AS value FROM sync_jobs"
            )
        )
        #expect(rows.count == 1)
        let value = try rows[0].decode("value", as: String?.self) ?? "NULL"
        #expect(try rows[0].decode("is_kept", as: Bool.self), "\(column) = \(given): \(value)")
        #expect(try await queue.client.disagreements().isEmpty, "\(column) = \(given)")
        try await queue.pool.execute("DELETE FROM sync_jobs")
        #expect(try await queue.count("SELECT count(*) FROM sync_queue") == 0)
    }

    /// One that an installation has, however odd its name is, is not taken for another.
    private func addKnownUser(_ queue: QueueFixture) async throws {
        try await run(
            queue,
            #"INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id) VALUES (E'known\x01', '', '', '')"#
        )
    }

    private func run(_ queue: QueueFixture, _ sql: String) async throws {
        try await queue.pool.execute(PostgresQuery(stringLiteral: sql))
    }

    /// An UPDATE of something else fails for none of it, and changes none of it.
    @Test func whatWasThereBeforeStays() async throws {
        let queue = try await QueueFixture()
        try await queue.liftBounds()
        try await queue.pool.execute(
            "INSERT INTO sync_jobs (job_id, user_id, status, run_at, attempt) VALUES (gen_random_uuid(), 'ada', 'queued', '-infinity', -5)"
        )
        try await queue.pool.execute("UPDATE sync_jobs SET total_notes = -1, max_crashes = 9")
        let row = try await queue.pool.query(
            "SELECT run_at = '-infinity' AND attempt = -5 AND total_notes = 0 AS is_kept FROM sync_jobs"
        )
        #expect(try row[0].decode("is_kept", as: Bool.self))
        #expect(try await queue.client.disagreements().isEmpty)
        #expect(try await queue.claim().count == 1)
    }

    @Test func logsAndCredentialsHaveTheirBounds() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        try await queue.pool.execute(
            "INSERT INTO sync_logs (job_id, level, message) VALUES (\(id.rawValue), 'INFO', repeat('x', 1000000))"
        )
        try await queue.pool.execute(
            """
            INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
            VALUES ('ada', repeat('x', 1000000), 'short', 'd')
            """
        )
        try await queue.pool.execute("UPDATE credentials SET notion_api_token = repeat('x', 1000000)")
        #expect(try await queue.count("SELECT length(message) FROM sync_logs") == 16_384)
        #expect(try await queue.count("SELECT length(google_oauth_token) FROM credentials") == 65_536)
        #expect(try await queue.count("SELECT length(notion_api_token) FROM credentials") == 65_536)
    }

    /// Records are deleted by their age: who may not delete them makes none older.
    @Test func aRecordIsMadeNoOlder() async throws {
        let queue = try await QueueFixture()
        let id = try await queue.insert("ada")
        _ = try await queue.finish(try #require(try await queue.claim().first), .completed)
        let before = try await queue.job(id)
        let admin = try await queue.database.connect()
        try await admin.runScript(
            "CREATE ROLE whole_admin; GRANT SELECT, INSERT, UPDATE ON sync_jobs TO whole_admin; SET ROLE whole_admin"
        )
        for change in [
            "created_at = '1971-01-01', completed_at = '1971-01-01'", "completed_at = '1971-01-01'",
            "status = 'failed', completed_at = '1971-01-01', created_at = '-infinity'", "created_at = 'infinity'",
        ] {
            try await admin.runScript("UPDATE sync_jobs SET \(change)")
            let job = try await queue.job(id)
            #expect(job.createdAt == before.createdAt, "\(change)")
            #expect(try #require(job.completedAt) >= before.completedAt!, "\(change)")
        }
        // In two steps, by a status that is nobody's.
        try await admin.runScript("UPDATE sync_jobs SET status = 'odd'")
        try await admin.runScript("UPDATE sync_jobs SET completed_at = '1971-01-01'")
        try await admin.runScript("UPDATE sync_jobs SET status = 'completed'")
        #expect(try #require(try await queue.job(id).completedAt) > Date(timeIntervalSinceNow: -90_000))
        // As Django saves the whole row, and the gateway the end of a job of its own.
        try await admin.runScript("UPDATE sync_jobs SET created_at = created_at, completed_at = completed_at")
        try await admin.runScript("UPDATE sync_jobs SET status = 'queued'")
        #expect(try await queue.job(id).completedAt == nil)
        try await admin.runScript("UPDATE sync_jobs SET status = 'failed', completed_at = timezone('utc', now())")
        #expect(try await queue.job(id).status == .failed)
        // Who may delete it may.
        try await admin.runScript("RESET ROLE; UPDATE sync_jobs SET created_at = '1971-01-01'")
        #expect(try await queue.job(id).createdAt < Date(timeIntervalSince1970: 86_400 * 400))
        try await admin.runScript("DROP OWNED BY whole_admin; DROP ROLE whole_admin")
        await admin.close()
    }

    @Test func aJobBeginsAsQueued() async throws {
        let queue = try await QueueFixture()
        let gateway = try await queue.database.connect()
        try await gateway.runScript(
            """
            CREATE ROLE whole_gateway; GRANT SELECT, INSERT, UPDATE ON sync_jobs TO whole_gateway; SET ROLE whole_gateway;
            SET sync.role = 'owner'
            """
        )
        for values in [
            "'running', 1", "'running', NULL", "'completed', NULL", "'failed', NULL", "'cancelled', NULL",
            "'paused?', NULL",
        ] {
            let sql =
                "INSERT INTO sync_jobs (job_id, user_id, status, lease) VALUES (gen_random_uuid(), 'ada', \(values))"
            let error = await #expect(throws: PostgresError.self, "\(values)") {
                try await gateway.runScript(sql)
            }
            #expect(
                error?.sqlState == .insufficientPrivilege
                    && error?.description.contains("with the status queued") == true,
                "\(values)"
            )
        }
        // The job is the gateway's own to mark, and the replaced service sets what it runs.
        try await gateway.runScript(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'ada', 'queued')"
        )
        for status in ["running", "completed", "failed", "queued"] {
            try await gateway.runScript("UPDATE sync_jobs SET status = '\(status)'")
        }
        // A restore.
        try await gateway.runScript("RESET ROLE; GRANT DELETE ON sync_jobs TO whole_gateway; SET ROLE whole_gateway")
        try await gateway.runScript(
            "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'bob', 'completed')"
        )
        try await gateway.runScript("RESET ROLE; DROP OWNED BY whole_gateway; DROP ROLE whole_gateway")
        await gateway.close()
        #expect(try await queue.claim(10).map(\.userID.rawValue) == ["ada"])
    }
}
