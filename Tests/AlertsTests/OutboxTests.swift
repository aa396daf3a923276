import Foundation
import Postgres
import TestSupport
import Testing

@testable import Alerts
@testable import JobQueue

@Suite("The outbox", .migrated, .timeLimit(.minutes(2)))
struct OutboxTests {
    private func events(_ fixture: AlertFixture) async throws -> [String] {
        try await fixture.pool.query(
            "SELECT kind || ' ' || user_id || ' ' || coalesce(error, '-') AS text FROM sync_alert_events ORDER BY id"
        )
        .map { try $0.decode("text") }
    }

    @Test("A job that fails leaves an event, one that ends otherwise does not")
    func onlyFailures() async throws {
        let fixture = try AlertFixture()
        try await fixture.failJob("anna", "no token")
        for status in ["completed", "cancelled", "queued"] {
            try await fixture.end(try await fixture.insertJob("bob"), status)
        }
        #expect(try await events(fixture) == ["job_failed anna no token"])
    }

    @Test("A job that somebody sets to failed without a word is told with who it was")
    func failedBySQL() async throws {
        let fixture = try AlertFixture()
        let text = "The job was set to failed by SQL, without an error_message, by the role"
        for error in [nil, " "] { try await fixture.end(try await fixture.insertJob("anna"), "failed", error: error) }
        let byHand = "job_failed anna \(text) postgres."
        #expect(try await events(fixture) == [byHand, byHand])
        try await fixture.gather()
        #expect(try await fixture.onlyAlert().error == "\(text) postgres.")
        let retried = try await fixture.insertJob("anna")
        try await fixture.pool.withConnection { connection in
            try await connection.runScript(
                """
                UPDATE sync_jobs SET last_error = 'No answer.';
                GRANT SELECT, UPDATE ON sync_jobs TO pg_monitor;
                DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO pg_monitor', current_schema()); END $$;
                SET ROLE pg_monitor;
                UPDATE sync_jobs SET status = 'failed' WHERE job_id = '\(retried)';
                RESET ROLE
                """
            )
        }
        #expect(try await events(fixture) == ["job_failed anna \(text) pg_monitor. Its last error: No answer."])
    }

    @Test("An alert that somebody has locked holds up no other")
    func lockedAlert() async throws {
        let fixture = try AlertFixture()
        try await fixture.failJob("anna", "no token")
        try await fixture.gather()
        try await fixture.failJob("anna", "no token")
        try await fixture.failJob("bob", "quite another fault")
        func counts() async throws -> [Int] {
            try await fixture.pool.query("SELECT count FROM sync_alerts WHERE resolved_at IS NULL ORDER BY id").map {
                try $0.decode("count")
            }
        }
        try await fixture.pool.withTransaction { outside in
            try await outside.execute("UPDATE sync_alerts SET error = 'mine'")
            try await fixture.gather()
            #expect(try await counts() == [1, 1])
            #expect(try await events(fixture) == ["job_failed anna no token"])
            try await fixture.pool.execute(.resolveAbsent(kinds: ["job_failed"], settle: .zero))
            #expect(try await counts() == [1])
        }
        try await fixture.gather()
        #expect(try await counts() == [2])
        #expect(try await events(fixture) == [])
    }

    @Test("The event is of the failing transaction")
    func sameTransaction() async throws {
        let fixture = try AlertFixture()
        let id = try await fixture.insertJob("anna")
        struct Undo: Error {}
        await #expect(throws: Undo.self) {
            try await fixture.pool.withTransaction { connection in
                try await connection.execute("UPDATE sync_jobs SET status = 'failed' WHERE job_id = \(id)")
                let inside: Int =
                    try await connection.query("SELECT count(*) FROM sync_alert_events").first?.decode(at: 0) ?? -1
                #expect(inside == 1)
                throw Undo()
            }
        }
        #expect(try await events(fixture) == [])
    }

    @Test("A rescue past the crash budget is told as such")
    func crashBudget() async throws {
        let fixture = try AlertFixture()
        let id = try await fixture.insertJob("anna")
        try await fixture.pool.execute(
            "UPDATE sync_jobs SET status = 'running', crashes = max_crashes, lease = 1, worker = 'w1' WHERE job_id = \(id)"
        )
        try await fixture.pool.execute(
            "UPDATE sync_queue SET lease = 1, lease_expires_at = now() - interval '1 second' WHERE job_id = \(id)"
        )
        try await fixture.pool.execute(.rescue(limit: 1))
        let events = try await events(fixture)
        #expect(events.count == 1)
        #expect(events.first?.hasPrefix("crash_budget anna Given up after 4 workers died") == true)
    }

    @Test("An outage that fails 10,000 jobs is one alert with its count, sent once")
    func outage() async throws {
        var fixture = try AlertFixture()
        let server = try ScriptedServer()
        defer { server.stop() }
        fixture.configuration.channels = [AlertFixture.webhook(server)]
        try await fixture.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status)
            SELECT md5(n::text)::uuid, 'user' || n || '@example.org', 'queued' FROM generate_series(1, 10000) AS n
            """
        )
        // As many workers would do it at the same time.
        let workers = fixture
        try await withThrowingDiscardingTaskGroup { tasks in
            for part in 0..<4 {
                tasks.addTask {
                    try await workers.pool.execute(
                        """
                        UPDATE sync_jobs SET status = 'failed',
                            error_message = 'User ' || user_id || ': Keep Extractor refused the connection, try ' || length(user_id)
                        WHERE mod(abs(hashtext(job_id::text)), 4) = \(part)
                        """
                    )
                }
            }
        }
        try await withThrowingDiscardingTaskGroup { tasks in
            for _ in 0..<3 { tasks.addTask { try await workers.gather() } }
        }
        let alert = try await fixture.onlyAlert()
        #expect(alert.count == 10_000)
        #expect(alert.users.count == 10)
        try await fixture.deliverAll()
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(server.requests.count == 1)
        #expect(try server.requests.first?.json()["count"] as? Int == 10_000)
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_events") == 0)
        // And the checks don't tell of each user what the outage did.
        fixture.configuration.rules.userFailures = 1
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.openAlerts().count == 1)
    }

    @Test("Failures of one cause are one condition, whosoever job fails")
    func causes() async throws {
        let fixture = try AlertFixture()
        try await fixture.failJob("anna@example.org", "There are no credentials for user anna@example.org.")
        try await fixture.failJob("a", "There are no credentials for user a.")
        try await fixture.failJob("b(1)\\", "There are no credentials for user b(1)\\.")
        try await fixture.failJob("bob", "Job 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11: 17 notes")
        try await fixture.failJob("bob", "Job 0f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e12: 2 notes")
        try await fixture.gather()
        #expect(try await fixture.openAlerts().map(\.count).sorted() == [2, 3])
    }

    @Test("Kinds that are off are taken out and forgotten")
    func kindsOff() async throws {
        var fixture = try AlertFixture()
        fixture.configuration.kindsOff = [.jobFailed]
        try await fixture.failJob("anna")
        try await fixture.gather()
        #expect(try await fixture.openAlerts().isEmpty)
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_events") == 0)
    }
}
