import Logging
import Postgres
import TestSupport
import Testing

/// Several statements in one round trip, and the statements a session prepares.
@Suite(.database())
struct BatchTests {
    private func prepared(_ connection: PostgresConnection) async throws -> Int {
        try await connection.query("SELECT count(*) AS n FROM pg_prepared_statements")[0].decode("n")
    }

    @Test func eachStatementHasItsRows() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.runScript("CREATE TABLE t (n int PRIMARY KEY)")
        let results = try await connection.batch([
            "INSERT INTO t SELECT generate_series(1, \(Int32(3)))", "SELECT n FROM t WHERE n > \(Int32(1)) ORDER BY n",
            "DELETE FROM t WHERE n = 9",
        ])
        #expect(results.map(\.affectedRows) == [3, 2, 0])
        #expect(try results[1].map { try $0.decode("n", as: Int32.self) } == [2, 3])
        #expect(try await connection.batch([]).isEmpty)
        await connection.close()
    }

    @Test func itTakesEffectWholeOrNotAtAll() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.runScript("CREATE TABLE t (n int PRIMARY KEY)")
        let error = await expectPostgresError(.server) {
            _ = try await connection.batch([
                "INSERT INTO t VALUES (\(Int32(1)))", "INSERT INTO t VALUES (\(Int32(1)))",
                "INSERT INTO nowhere VALUES (\(Int32(1)))",
            ])
        }
        #expect(error?.sqlState == .uniqueViolation, "the first that fails is told")
        #expect(try await connection.query("SELECT n FROM t").isEmpty)
        // Within a transaction the rest of it decides.
        try await connection.transaction { connection in
            _ = try await connection.batch(["INSERT INTO t VALUES (\(Int32(2)))", "INSERT INTO t VALUES (\(Int32(3)))"])
        }
        #expect(try await connection.query("SELECT n FROM t").count == 2)
        await connection.close()
    }

    /// From the very first transaction of a session on, and in each of them.
    /// The last statement has been answered by then.
    @Test(arguments: [1, 2])
    func aTransactionThatIsRefusedAtItsCommitSaysWhy(statements: Int) async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.runScript("CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        try await connection.execute("INSERT INTO t VALUES (1)")
        let error = await expectPostgresError(.server) {
            _ = try await connection.batch(Array(repeating: "INSERT INTO t VALUES (\(Int32(1)))", count: statements))
        }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(try await connection.query("SELECT n FROM t").count == 1, "the connection goes on")
        await connection.close()
    }

    @Test(arguments: ["serializable", "repeatable read"])
    func statementsByIndexAreReadCommittedWhateverTheDatabaseSays(isolation: String) async throws {
        let database = try TestDatabase.current
        let first = try await database.connect()
        try await first.runScript(
            """
            DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L',
                current_database(), '\(isolation)'); END $$
            """
        )
        await first.close()
        let connection = try await database.connect()
        #expect(try await connection.query("SHOW transaction_isolation")[0].decode(at: 0) == isolation)
        for number in Int32(1)...3 {
            let level: PostgresQuery = "SELECT current_setting('transaction_isolation') AS level, \(number) AS n"
            for rows in try await connection.batch([.byIndex(level), .byIndex(level)]) {
                #expect(try rows[0].decode("level", as: String.self) == "read committed", "transaction \(number)")
            }
        }
        await connection.close()
    }

    @Test func aStatementIsParsedOnce() async throws {
        let connection = try await TestDatabase.current.connect()
        for number in Int32(1)...5 {
            #expect(
                try await connection.query("SELECT \(number) + 1 AS n")[0].decode("n", as: Int32.self) == number + 1
            )
        }
        #expect(try await prepared(connection) == 1)
        // The same text with another type is another statement.
        #expect(try await connection.query("SELECT \(2.5) + 1 AS n")[0].decode("n", as: Double.self) == 3.5)
        #expect(try await prepared(connection) == 2)
        // A statement that can't be parsed leaves nothing behind.
        await expectPostgresError(.server) { _ = try await connection.query("SELECT \(Int32(1)) FROM nowhere") }
        #expect(try await prepared(connection) == 2)
        await connection.close()
    }

    @Test func textsWithoutEndDoNotFillTheServer() async throws {
        let connection = try await TestDatabase.current.connect()
        for number in 0..<300 {
            _ = try await connection.query("SELECT \(Int32(1)) AS \(identifier: "n\(number)")")
        }
        #expect(try await prepared(connection) <= 200)
        await connection.close()
    }

    @Test func aStatementThatNoLongerFitsIsPreparedAnew() async throws {
        let pool = try TestDatabase.current.pool
        try await pool.execute("CREATE TABLE t (n int)")
        let query: PostgresQuery = "SELECT * FROM t WHERE n > \(Int32(0))"
        // The first finds out whose session it is, the second prepares.
        for _ in 1...3 { _ = try await pool.query(query) }
        try await pool.execute("ALTER TABLE t ADD COLUMN m int")
        let error = await expectPostgresError(.connectionLost) { _ = try await pool.query(query) }
        #expect(error?.isRetryable == true)
        for _ in 1...2 { #expect(try await pool.query(query).columnNames == ["n", "m"]) }
        // Somebody drops it.
        try await pool.withConnection { connection in try await connection.runScript("DEALLOCATE ALL") }
        await expectPostgresError(.connectionLost) { _ = try await pool.query(query) }
        #expect(try await pool.query(query).columnNames == ["n", "m"])
    }

    @Test func cancellingStopsTheWholeBatch() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.runScript("CREATE TABLE t (n int)")
        let watcher = try await TestDatabase.current.connect()
        let task = Task {
            try await connection.batch(["INSERT INTO t VALUES (\(Int32(1)))", "SELECT pg_sleep(\(60.0))"])
        }
        let process = try #require(await connection.backendProcessID)
        try await eventually("the sleep") {
            try await watcher.query("SELECT 1 FROM pg_stat_activity WHERE pid = \(process) AND wait_event = 'PgSleep'")
                .count == 1
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await connection.query("SELECT n FROM t").isEmpty)
        await connection.close()
        await watcher.close()
    }

    @Test func plansAreByIndexEvenOfAnEmptyTable() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.runScript("CREATE TABLE t (n int PRIMARY KEY, m int)")
        let explain: PostgresQuery = "EXPLAIN SELECT t.m FROM unnest(ARRAY[1, 2]) AS w (n) JOIN t USING (n)"
        // The session is known to be the connection's own from the second on.
        _ = try await connection.query("SELECT \(1)")
        for _ in 1...2 {
            let plan = try await text(.byIndex(explain), on: connection)
            #expect(plan.contains("Index Scan using t_pkey"), "\(plan)")
            #expect(
                try await text("SHOW enable_seqscan", on: connection) == "on",
                "other statements are planned freely"
            )
        }
        await connection.close()
    }

    @Test func aBatchThatFailedLeavesNoSettingsBehind() async throws {
        let connection = try await TestDatabase.current.connect()
        _ = try await connection.query("SELECT \(1)")
        await #expect(throws: PostgresError.self) { try await connection.batch([.byIndex("SELECT 1 / \(0)")]) }
        #expect(try await text("SHOW enable_seqscan", on: connection) == "on")
        #expect(try await text(.byIndex("SHOW enable_seqscan"), on: connection) == "off")
        // Within a transaction, which is rolled back, they are the transaction's.
        await #expect(throws: CancellationError.self) {
            try await connection.transaction { connection in
                #expect(try await text("SHOW enable_seqscan", on: connection) == "on")
                throw CancellationError()
            }
        }
        #expect(try await text(.byIndex("SHOW enable_seqscan"), on: connection) == "off")
        #expect(try await text("SHOW enable_seqscan", on: connection) == "on")
        await connection.close()
    }

    private func text(_ query: PostgresQuery, on connection: PostgresConnection) async throws -> String {
        try await connection.query(query).map { try $0.decode(at: 0) }.joined(separator: "\n")
    }
}
