import Postgres
import TestSupport
import Testing

private struct Refusal: Error {}

/// What BEGIN, COMMIT and ROLLBACK promise.
@Suite(.database(migrations: [Migration(version: 1, name: "t", sql: "CREATE TABLE t (n int PRIMARY KEY)")]))
struct TransactionTests {
    private func count() async throws -> Int {
        try await TestDatabase.current.pool.query("SELECT count(*) AS n FROM t")[0].decode("n")
    }

    @Test func commitsAndGivesTheResult() async throws {
        let pool = try TestDatabase.current.pool
        let result = try await pool.withTransaction { connection in
            try await connection.execute("INSERT INTO t VALUES (1)")
            return "done"
        }
        #expect(result == "done")
        #expect(try await count() == 1)
    }

    @Test func rollsBackWhenTheBodyThrows() async throws {
        let pool = try TestDatabase.current.pool
        await #expect(throws: Refusal.self) {
            try await pool.withTransaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1)")
                throw Refusal()
            }
        }
        #expect(try await count() == 0)
        #expect(pool.statistics.idle == 1 && pool.statistics.inUse == 0)
    }

    @Test func aHiddenFailureIsNotReportedAsCommitted() async throws {
        let pool = try TestDatabase.current.pool
        await expectPostgresError(.transactionRolledBack) {
            try await pool.withTransaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1)")
                await expectPostgresError(.server) { try await connection.execute("INSERT INTO t VALUES (1)") }
            }
        }
        #expect(try await count() == 0)
        #expect(pool.statistics.idle == 1)
    }

    @Test func transactionsDoNotNest() async throws {
        await expectPostgresError(.transactionInProgress) {
            try await TestDatabase.current.pool.withTransaction { connection in
                try await connection.transaction { _ in }
            }
        }
    }

    @Test func cancellationRollsBack() async throws {
        let pool = try TestDatabase.current.pool
        let task = Task {
            try await pool.withTransaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1)")
                _ = try await connection.query("SELECT pg_sleep(60)")
            }
        }
        try await eventually {
            try await !pool.query(
                "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
            ).isEmpty
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await count() == 0)
        #expect(pool.statistics.inUse == 0)
        #expect(
            try await pool.query(
                "SELECT FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
            ).isEmpty
        )
    }

    @Test func aDeferredConstraintFailsAtCommit() async throws {
        let pool = try TestDatabase.current.pool
        try await pool.execute("CREATE TABLE d (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        let error = await expectPostgresError(.server) {
            _ = try await pool.withTransaction { try await $0.execute("INSERT INTO d VALUES (1), (1)") }
        }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(pool.statistics.idle == 1)
    }

    @Test func aCommitWithoutAnswerHasAnUnknownOutcome() async throws {
        let pool = try TestDatabase.current.pool
        // The deferred trigger ends the session in the middle of COMMIT.
        try await pool.withConnection { connection in
            try await connection.runScript(
                """
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION die();
                """
            )
        }
        let error = await expectPostgresError(.commitOutcomeUnknown) {
            _ = try await pool.withTransaction { try await $0.execute("INSERT INTO t VALUES (1)") }
        }
        #expect(error?.isRetryable == false && error?.isConnectionFailure == true)
        #expect(try await count() == 0)
    }

    private actor Counter {
        var total = 0

        func insert(_ pool: PostgresPool) async throws {
            try await pool.withTransaction { connection in
                total += try await connection.execute("INSERT INTO t VALUES (1), (2)")
            }
        }
    }

    @Test func theBodyRunsOnTheCallersActor() async throws {
        let counter = Counter()
        try await counter.insert(TestDatabase.current.pool)
        #expect(await counter.total == 2)
    }

    @Test func uncancellableRunsToItsEnd() async throws {
        let pool = try TestDatabase.current.pool
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await uncancellable {
                _ = try await pool.execute("INSERT INTO t VALUES (9)")
            }
        }
        task.cancel()
        try await task.value
        #expect(try await count() == 1)
    }
}

/// Commits that wait for a standby, which never comes.
@Suite(.timeLimit(.minutes(2)))
struct SynchronousCommitTests {
    /// The server answers the cancellation with success, as the commit can't be undone; a failover would undo it.
    @Test func aCommitThatDidNotWaitForItsStandbyIsNoSuccess() async throws {
        let cluster = try await PrivateCluster.start()
        let database = try await cluster.createDatabase()
        try await database.pool.execute("CREATE TABLE t (n int)")
        try await cluster.setSynchronous(true)
        let short = QueryTimeout.after(.milliseconds(300))
        for _ in 1...2 {
            let error = await expectPostgresError(.connectionLost) {
                _ = try await database.pool.batch(["INSERT INTO t VALUES (1)"], timeout: short)
            }
            #expect(error?.isUnreplicated == true && error?.mayHaveTakenEffect == true)
        }
        let cancelled = Task { try await database.pool.execute("INSERT INTO t VALUES (2)") }
        try await eventually(within: .seconds(20), "a commit that waits") {
            try await !database.pool.query("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'").isEmpty
        }
        try await database.pool.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        )
        await expectPostgresError(.connectionLost) { _ = try await cancelled.value }
        #expect(try await database.pool.query("SELECT FROM t").count == 3, "they are there all the same")
        let terminated = Task {
            try await database.pool.withTransaction { try await $0.execute("INSERT INTO t VALUES (2)") }
        }
        try await eventually(within: .seconds(20), "a commit that waits") {
            try await !database.pool.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            ).isEmpty
        }
        let ended = await expectPostgresError(.commitOutcomeUnknown) { _ = try await terminated.value }
        #expect(ended?.isUnreplicated == true && ended?.message.contains("waited for the standby") == true)
        // What changes nothing waits for nobody, unless it is to be durable.
        _ = try await database.pool.batch(["SELECT 1"], timeout: short)
        let unsure = await expectPostgresError(.connectionLost) {
            _ = try await database.pool.batch(["SELECT 1", .awaitDurability()], timeout: short)
        }
        #expect(unsure?.isUnreplicated == true)
        try await cluster.setSynchronous(false)
        #expect(try await database.pool.execute("INSERT INTO t VALUES (3)", timeout: short) == 1)
        await database.pool.shutdown()
        try await cluster.remove()
    }
}
