import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// A trigger of somebody else's that returns NULL swallows the claim of some jobs, without an error.
@Suite(.timeLimit(.minutes(3)), .serialized)
struct SwallowedClaimTests {
    private func swallow(_ queue: QueueFixture, _ condition: String) async throws {
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
                CREATE TRIGGER swallow BEFORE UPDATE ON sync_jobs FOR EACH ROW
                    WHEN (NEW.status = 'running' AND \(condition)) EXECUTE FUNCTION swallow();
                """
            )
        }
    }

    private func completed(_ queue: QueueFixture, _ users: String) async throws -> Int {
        try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'completed' AND user_id LIKE \(users)")
    }

    private func withWorker(
        _ queue: QueueFixture,
        _ log: LogLines,
        slots: Int = 4,
        _ body: () async throws -> Void
    ) async throws {
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        try await queue.withWorker(slots: slots, poll: .milliseconds(300), logger: logger, body)
    }

    /// Not even the next of its own user.
    @Test func itHoldsUpNoOtherJobAndIsNamedOnce() async throws {
        let queue = try await QueueFixture()
        let bad = try await queue.insert("ada")
        try await queue.insert("ada")
        for number in 1...6 { try await queue.insert("other-\(number)") }
        try await swallow(queue, "NEW.job_id = '\(bad)'")
        let log = LogLines()
        try await withWorker(queue, log) {
            try await eventually(within: .seconds(20), "the end of all others") {
                let others = try await completed(queue, "other-%")
                let own = try await completed(queue, "ada")
                return others == 6 && own == 1
            }
            // Polls go on.
            try await Task.sleep(for: .seconds(2))
            let named = log.lines.filter { $0.contains("returns NULL") && $0.contains("job=\(bad)") }
            #expect(named.count == 1 && named[0].contains("syncctl cancel \(bad)"), "\(log.lines)")
            // Between a claim and its being given back they disagree.
            try await eventually(within: .seconds(5), "the queue row given back") {
                try await queue.client.disagreements().isEmpty
            }
            #expect(try await queue.job(bad).status == .queued)
            #expect(try await queue.job(bad).attempt == 0)
        }
        try await queue.pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER swallow")
        try await withWorker(queue, LogLines()) {
            try await eventually(within: .seconds(20), "its end") { try await completed(queue, "ada") == 2 }
        }
    }

    /// Of as many users, and of few.
    @Test(arguments: [1000, 10]) func aThousandAtTheHeadHoldUpNoOthers(users: Int) async throws {
        let queue = try await QueueFixture()
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            SELECT gen_random_uuid(), 'bad-' || n % \(users), 'queued', now() - interval '2 hours' + n * interval '1 ms'
            FROM generate_series(1, 1000) AS n
            UNION ALL
            SELECT gen_random_uuid(), 'other-' || n, 'queued', now() - interval '1 hour' FROM generate_series(1, 50) AS n
            """
        )
        try await queue.unparkAll()
        try await swallow(queue, "NEW.user_id LIKE 'bad-%'")
        let log = LogLines()
        try await withWorker(queue, log) {
            try await eventually(within: .seconds(30), "the end of the others' jobs") {
                try await completed(queue, "other-%") == 50
            }
            let began = ContinuousClock.now
            for number in 1...5 { try await queue.insert("later-\(number)") }
            try await eventually(within: .seconds(15), "the end of later jobs") {
                try await completed(queue, "later-%") == 5
            }
            #expect(ContinuousClock.now - began < .seconds(10))
            try await eventually(within: .seconds(20), "the queue rows given back") {
                try await queue.count("SELECT count(*) FROM sync_queue WHERE lease IS NOT NULL") == 0
            }
        }
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = 'queued'") == 1000)
        #expect(try await queue.client.disagreements().filter { !"\($0.userID)".hasPrefix("bad-") }.isEmpty)
        let named = log.lines.filter { $0.contains("returns NULL") && $0.contains("keeps a job") }
        #expect(Set(named).count == named.count && named.count <= 1000)
    }
}
