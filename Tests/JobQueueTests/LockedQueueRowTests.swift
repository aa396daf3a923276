import Foundation
import Logging
import Postgres
import Support
import TestSupport
import Testing

@testable import JobQueue

/// A row that somebody has locked, as in a psql that was left open: it holds up its own job alone.
@Suite(.timeLimit(.minutes(2)))
struct LockedQueueRowTests {
    private static let statements = [
        "UPDATE sync_queue SET priority = 1 WHERE user_id = 'ada'",
        "SELECT FROM sync_queue WHERE user_id = 'ada' FOR UPDATE",
    ]

    /// Has the rows of ada's queued jobs locked while `body` runs.
    private func locking(_ queue: QueueFixture, _ statement: String, _ body: () async throws -> Void) async throws {
        let outside = try await queue.database.connect()
        try await outside.execute("BEGIN")
        _ = try await outside.query(PostgresQuery(stringLiteral: statement))
        try await body()
        try await outside.execute("ROLLBACK")
        await outside.close()
    }

    @Test(arguments: statements) func isPassedOverByClaims(_ statement: String) async throws {
        let queue = try await QueueFixture()
        for user in ["ada", "bob", "carl"] { try await queue.insert(user) }
        try await locking(queue, statement) {
            let claimed = try await queue.claim(5).map(\.userID.rawValue)
            #expect(Set(claimed) == ["bob", "carl"])
            let more = try await queue.claim(5)
            #expect(more.isEmpty)
        }
        #expect(try await queue.claim(5).map(\.userID.rawValue) == ["ada"])
    }

    @Test(arguments: statements) func isPassedOverByParkingAndBack(_ statement: String) async throws {
        let queue = try await QueueFixture()
        try await queue.insert("ada")
        let first = try #require(try await queue.claim().first)
        let second = try await queue.insert("ada")
        try await queue.unparkAll()
        let ofTheSecond = statement.replacing("'ada'", with: "'ada' AND lease IS NULL")
        try await queue.insert("bob")
        try await locking(queue, ofTheSecond) {
            let claimed = try await queue.claim(5).map(\.userID.rawValue)
            #expect(claimed == ["bob"], "not parked")
        }
        #expect(try await queue.claim(5).isEmpty)
        #expect(try await queue.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 1)
        try await locking(queue, ofTheSecond) {
            let finish = JobFinish(.completed, of: first, backoff: Backoff(base: .zero, cap: .zero))
            let ended = try await queue.pool.finish([finish])
            #expect(try ended.finished.map { try $0.decode("status", as: String?.self) } == ["completed"])
            #expect(ended.unparked.passedOver == [UserID("ada")])
        }
        #expect(try await queue.pool.query(.unparkNext(of: [UserID("ada")], wakes: false)).count == 1)
        #expect(try await queue.claim(5).map(\.id) == [second])
    }

    /// What holds up the end of ada's job.
    enum Delay: CaseIterable, CustomTestStringConvertible {
        case queueRow, rowOfSomebodyElses, slowTrigger, slowerThanTheServerAllows

        var isSlow: Bool { self == .slowTrigger || self == .slowerThanTheServerAllows }

        var testDescription: String { "\(self)" }
    }

    /// Others' jobs complete; ada's does once nothing is in its way.
    @Test(arguments: Delay.allCases) func aResultThatWaitsHoldsUpNoOther(_ delay: Delay) async throws {
        let queue = try await QueueFixture()
        try await prepare(queue, delay)
        let ada = try await queue.insert("ada")
        for user in ["bob", "carl", "dora"] { try await queue.insert(user) }
        let log = LogLines()
        let mayEnd = StopSignal()
        let handler: JobHandler = { _ in
            await mayEnd.untilRequested()
            return .completed
        }
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        try await queue.withWorker(logger: logger, handler: handler) {
            try await eventually("the begin of all") { try await count(queue, "running") == 4 }
            let lock = delay == .rowOfSomebodyElses ? "SELECT FROM theirs FOR UPDATE" : Self.statements[1]
            try await locking(queue, delay.isSlow ? "SELECT" : lock) {
                mayEnd.request()
                try await eventually(within: .seconds(10), "the others' end") {
                    try await count(queue, "completed") == 3
                }
                try await eventually("the job's id in the log") {
                    log.lines.contains { $0.contains("can't be recorded, as what") && $0.contains("job=\(ada)") }
                }
                // Those that come later do not wait for it either.
                for user in ["eve", "finn"] { try await queue.insert(user) }
                try await eventually(within: .seconds(3), "later jobs' end, at once") {
                    try await count(queue, "completed") == 5
                }
                #expect(try await queue.job(ada).status == .running)
            }
            // What is merely slow is recorded in the end.
            if delay == .slowerThanTheServerAllows {
                try await queue.pool.execute("ALTER TABLE sync_jobs DISABLE TRIGGER slowly")
            }
            try await eventually(within: .seconds(40), "its end") { try await queue.job(ada).status == .completed }
            #expect(try await queue.job(ada).attempt == 1)
        }
    }

    private func count(_ queue: QueueFixture, _ status: String) async throws -> Int {
        try await queue.count("SELECT count(*) FROM sync_jobs WHERE status = \(status)")
    }

    private func prepare(_ queue: QueueFixture, _ delay: Delay) async throws {
        let work =
            switch delay {
            case .queueRow: "NULL"
            case .rowOfSomebodyElses: "UPDATE theirs SET n = n + 1"
            case .slowTrigger: "PERFORM pg_sleep(12)"
            case .slowerThanTheServerAllows: "PERFORM pg_sleep(20)"
            }
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE TABLE theirs AS SELECT 1 AS n;
                CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN \(work); RETURN NULL; END $$;
                CREATE TRIGGER slowly AFTER UPDATE ON sync_jobs FOR EACH ROW
                    WHEN (NEW.user_id = 'ada' AND NEW.status = 'completed') EXECUTE FUNCTION slowly();
                DO $$ BEGIN IF \(delay == .slowerThanTheServerAllows) THEN
                    EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''2s''', current_database()); END IF; END $$;
                """
            )
        }
    }
}
