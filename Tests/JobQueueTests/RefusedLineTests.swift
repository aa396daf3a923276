import Logging
import Postgres
import TestSupport
import Testing

@testable import JobQueue

/// What the database refuses to have told of a job, in its log or as an alert, keeps the job itself from nothing.
@Suite(.timeLimit(.minutes(2)))
struct RefusedLineTests {
    private static func trigger(_ event: String, _ condition: String = "true") -> String {
        let name = "refuse_" + event.replacing(" ", with: "_")
        return """
            CREATE FUNCTION \(name)() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'not in here'; END $$;
            CREATE TRIGGER refuse BEFORE \(event) FOR EACH ROW WHEN (\(condition))
                EXECUTE FUNCTION \(name)();
            """
    }

    private static let noLines = trigger("INSERT ON sync_logs")
    private static let noAlerts = trigger("INSERT ON sync_alert_events")
    /// As after a restore.
    private static let sequenceSetBack = """
        INSERT INTO sync_jobs (job_id, user_id, status) VALUES (gen_random_uuid(), 'old', 'completed');
        INSERT INTO sync_logs (job_id, level, message)
        SELECT job_id, 'INFO', 'line' FROM sync_jobs, generate_series(1, 1000) WHERE user_id = 'old';
        SELECT setval('sync_logs_id_seq', 1, false);
        """

    private func run(_ script: String, _ queue: QueueFixture) async throws {
        try await queue.pool.withConnection { try await $0.runScript(script) }
    }

    @Test(arguments: [noLines, sequenceSetBack, noAlerts, noLines + noAlerts])
    func aRescueGoesWithoutIt(_ script: String) async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        try await queue.insert("bob")
        _ = try await queue.claim(2, worker: "gone")
        try await queue.pool.execute("UPDATE sync_jobs SET crashes = max_crashes WHERE user_id = 'bob'")
        try await queue.pool.execute(
            "UPDATE sync_queue SET lease_expires_at = now() - interval '1 second', is_renewed = true"
        )
        try await run(script, queue)
        let log = LogLines()
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        try await queue.withWorker(lease: .seconds(4), poll: .milliseconds(300), logger: logger) {
            try await eventually(within: .seconds(20), "the rescue") {
                try await queue.count(
                    "SELECT count(*) FROM sync_jobs WHERE (user_id, status) IN (('ada', 'completed'), ('bob', 'failed'))"
                ) == 2
            }
        }
        #expect(log.lines.contains { $0.hasPrefix("warning") && $0.contains("given back all the same") })
        let alerts = try await queue.count("SELECT count(*) FROM sync_alert_events")
        #expect(alerts == (script.contains("sync_alert_events") ? 0 : 1))
    }

    /// A result that is refused is a failed attempt, and so the job ends.
    @Test(arguments: ["", noLines, noAlerts]) func aRefusedResultIsAFailedAttempt(_ script: String) async throws {
        let queue = try await QueueFixture()
        try await run(script, queue)
        try await run(Self.trigger("UPDATE ON sync_jobs", "NEW.user_id = 'bad' AND NEW.status = 'completed'"), queue)
        let bad = try await queue.insert("bad")
        let good = try await queue.insert("good")
        try await queue.withWorker(lease: .seconds(600), poll: .milliseconds(300)) {
            try await eventually(within: .seconds(30), "the end") { try await queue.job(bad).status == .failed }
            try await eventually(within: .seconds(30), "the other's end") {
                try await queue.job(good).status == .completed
            }
        }
        let job = try await queue.job(bad)
        #expect(job.attempt == job.maximumAttempts)
        #expect(job.lastError?.contains("not in here (SQLSTATE P0001)") == true, "\(job.lastError ?? "-")")
        let alerts = try await queue.count("SELECT count(*) FROM sync_alert_events WHERE job_id = \(bad.rawValue)")
        #expect(alerts == (script.contains("sync_alert_events") ? 0 : 1))
    }
}
