import Logging
import Postgres
import TestSupport
import Testing

@testable import JobQueue

/// Deleting old jobs, however many and however slow.
@Suite(.timeLimit(.minutes(2)))
struct PrunerTests {
    private func pruner(
        _ queue: QueueFixture,
        _ configuration: JobWorkerConfiguration? = nil,
        _ change: (inout Pruner.Pace) -> Void = { _ in }
    ) -> Pruner {
        var pruner = Pruner(
            pool: queue.pool,
            configuration: configuration ?? queue.configuration(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        pruner.pace.pauseFactor = 0
        change(&pruner.pace)
        return pruner
    }

    private func insertOldJobs(_ queue: QueueFixture, _ count: Int, lines: Int) async throws {
        try await queue.pool.execute(
            """
            WITH old AS (
                INSERT INTO sync_jobs (job_id, user_id, status, created_at, completed_at)
                SELECT gen_random_uuid(), 'ada', 'completed', timezone('utc', now()) - interval '90 days' + n * interval '1 s',
                    timezone('utc', now()) - interval '80 days'
                FROM generate_series(1, \(count)) AS n
                RETURNING job_id
            )
            INSERT INTO sync_logs (job_id, level, message)
            SELECT job_id, 'INFO', 'line' FROM old CROSS JOIN generate_series(1, \(lines))
            """
        )
    }

    /// Has each statement that deletes lines leave their number, and take its time for each.
    private func watchLines(_ queue: QueueFixture, secondsPerLine: Double = 0) async throws {
        try await queue.pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE TABLE deletions (lines bigint);
                CREATE FUNCTION count_lines() RETURNS trigger LANGUAGE plpgsql AS $$
                    DECLARE counted bigint;
                    BEGIN
                        SELECT count(*) INTO counted FROM deleted;
                        PERFORM pg_sleep(counted * \(secondsPerLine));
                        INSERT INTO deletions VALUES (counted);
                        RETURN NULL;
                    END $$;
                CREATE TRIGGER count_lines AFTER DELETE ON sync_logs REFERENCING OLD TABLE AS deleted
                    FOR EACH STATEMENT EXECUTE FUNCTION count_lines();
                """
            )
        }
    }

    @Test func aJobWithAVeryLongLogGoesPieceByPiece() async throws {
        let queue = try await QueueFixture()
        try await watchLines(queue)
        try await insertOldJobs(queue, 1, lines: 12_000)
        try await insertOldJobs(queue, 3, lines: 1)
        let total = try await pruner(queue).prune()
        #expect((total.jobs, total.lines) == (4, 12_003))
        #expect(try await queue.count("SELECT max(lines) FROM deletions") <= 5000)
        #expect(try await queue.count("SELECT count(*) FROM sync_logs") == 0)
    }

    @Test func aStatementThatTakesTooLongIsMadeAgainWithLess() async throws {
        let queue = try await QueueFixture()
        // 4 s for all at once.
        try await watchLines(queue, secondsPerLine: 0.01)
        try await insertOldJobs(queue, 100, lines: 4)
        let total = try await pruner(queue) {
            $0.timeout = .milliseconds(500)
            $0.target = .milliseconds(250)
        }.prune()
        #expect((total.jobs, total.lines) == (100, 400))
        #expect(try await queue.count("SELECT max(lines) FROM deletions") <= 50)
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs") == 0)
    }

    @Test func aBatchShrinksAndGrowsAgain() {
        var batch = PruneBatch()
        let most = batch
        batch.adapt(to: .seconds(1), target: .milliseconds(500))
        #expect(batch == PruneBatch(jobs: most.jobs / 2, lines: most.lines / 2))
        for _ in 1...20 { batch.shrink() }
        #expect(batch.isSmallest)
        batch.adapt(to: .milliseconds(300), target: .milliseconds(500))
        #expect(batch.isSmallest, "neither long nor short")
        for _ in 1...20 { batch.adapt(to: .milliseconds(10), target: .milliseconds(500)) }
        #expect(batch == most)
    }

    @Test func mostOfTheTimeIsLeftToOthers() async throws {
        let queue = try await QueueFixture()
        try await watchLines(queue, secondsPerLine: 0.1)
        try await insertOldJobs(queue, 1000, lines: 0)
        try await queue.pool.execute(
            "INSERT INTO sync_logs (job_id, level, message) SELECT job_id, 'INFO', 'x' FROM sync_jobs ORDER BY created_at LIMIT 2"
        )
        let began = ContinuousClock.now
        #expect(try await pruner(queue) { $0.pauseFactor = 3 }.prune().jobs == 1000)
        #expect(ContinuousClock.now - began >= .milliseconds(200 + 3 * 200))
    }

    @Test func oneWorkerPrunesAtATime() async throws {
        let queue = try await QueueFixture()
        try await insertOldJobs(queue, 5, lines: 1)
        let (first, second) = (queue.configuration("a"), queue.configuration("b"))
        try await queue.pool.execute(.takePruning(first.instance, lease: .seconds(60)))
        #expect(try await pruner(queue, second).prune().jobs == 0)
        #expect(try await pruner(queue, first).prune().jobs == 5)
        // It died with the turn.
        try await queue.pool.execute("UPDATE sync_pruning SET held_until = now() - interval '1 s'")
        try await insertOldJobs(queue, 5, lines: 1)
        #expect(try await pruner(queue, second).prune().jobs == 5)
    }

    @Test func aBacklogIsWorkedOff() async throws {
        let queue = try await QueueFixture()
        try await insertOldJobs(queue, 20_000, lines: 2)
        // What has not ended is passed over, wherever it stands.
        try await queue.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, created_at, run_at)
            SELECT gen_random_uuid(), 'bob', 'queued', timezone('utc', now()) - interval '100 days', 'infinity'
            FROM generate_series(1, 1200)
            """
        )
        let began = ContinuousClock.now
        let total = try await pruner(queue).prune()
        let seconds = (ContinuousClock.now - began).seconds
        #expect((total.jobs, total.lines) == (20_000, 40_000))
        print("pruned \(Int(20_000 / seconds)) jobs of two lines a second, without pauses")
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs") == 1200)
    }

    /// A worker that stops in the middle of a backlog: the next one goes on, and not minutes later.
    @Test func aWorkerThatStopsGivesItsTurnBack() async throws {
        let queue = try await QueueFixture()
        try await insertOldJobs(queue, 3000, lines: 0)
        let first = queue.configuration()
        let task = Task { await pruner(queue, first) { $0.pauseFactor = 1000 }.run() }
        try await eventually(within: .seconds(20), "the first batch") {
            try await queue.count("SELECT count(*) FROM sync_jobs") < 3000
        }
        task.cancel()
        await task.value
        #expect(try await queue.count("SELECT count(*) FROM sync_jobs") > 0)
        let total = try await pruner(queue).prune()
        let left = try await queue.count("SELECT count(*) FROM sync_jobs")
        #expect(total.jobs > 0 && left == 0)
    }
}
