import Logging
import Postgres
import TestSupport
import Testing

/// Statements, their errors and the transactions around them.
@Suite(.database())
struct StatementTests {
    @Test func valuesAreBoundAndNamesQuoted() async throws {
        let query: PostgresQuery = "SELECT \(identifier: "odd \"name\"") FROM t WHERE a = \(1) AND b = \("x'")"
        #expect(query.sql == "SELECT \"odd \"\"name\"\"\" FROM t WHERE a = $1 AND b = $2")
        #expect(query.bindings.count == 2)
        #expect("\(query)".contains("x'") == false)
    }

    @Test func affectedRowsAreCounted() async throws {
        let pool = try TestDatabase.current.pool
        try await pool.execute("CREATE TABLE t (n int)")
        #expect(try await pool.execute("INSERT INTO t SELECT generate_series(1, 5)") == 5)
        #expect(try await pool.execute("UPDATE t SET n = 0 WHERE n > \(3)") == 2)
        let rows = try await pool.query("DELETE FROM t RETURNING n")
        #expect(rows.affectedRows == 5 && rows.count == 5)
        #expect(try await pool.query("SELECT n FROM t").isEmpty)
    }

    @Test func serverErrorsCarryTheirFields() async throws {
        let connection = try await TestDatabase.current.connect()
        try await connection.runScript(
            "CREATE TABLE t (n int CONSTRAINT only_one PRIMARY KEY); INSERT INTO t VALUES (77);"
        )
        let error = await expectPostgresError(.server) {
            try await connection.execute("INSERT INTO t VALUES (\(77)::int)")
        }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(error?.constraint == "only_one")
        #expect(error?.detail?.contains("77") == true)
        #expect(error?.description.contains("77") == false)
        #expect(error?.isRetryable == false && error?.isConnectionFailure == false)
        let missing = await expectPostgresError(.server) { _ = try await connection.query("SELECT * FROM nowhere") }
        #expect(missing?.sqlState == .undefinedTable)
        #expect(try await connection.query("SELECT 1 AS n")[0].decode("n", as: Int.self) == 1)
        await connection.close()
        let closed = await expectPostgresError(.connectionClosed) { _ = try await connection.query("SELECT 1") }
        #expect(closed?.isConnectionFailure == true)
    }

    @Test func statementsThatCannotBeSentAreRefused() async throws {
        let connection = try await TestDatabase.current.connect()
        await expectPostgresError(.encodingFailed) { _ = try await connection.query("SELECT \("a\0b")") }
        await expectPostgresError(.encodingFailed) { _ = try await connection.query("SELECT \(["a", "a\0b"])") }
        await expectPostgresError(.encodingFailed) { _ = try await connection.query("SELECT \(identifier: "")") }
        await expectPostgresError(.encodingFailed) { try await connection.runScript("SELECT '\0'") }
        await expectPostgresError(.unsupported) { _ = try await connection.query("COPY pg_class TO STDOUT") }
        await connection.close()
    }

    @Test func tooManyParametersAreRefused() async throws {
        var interpolation = PostgresQuery.StringInterpolation(literalCapacity: 0, interpolationCount: 65_536)
        interpolation.appendLiteral("SELECT 1 WHERE 1 IN (0")
        for number in 0..<65_536 {
            interpolation.appendLiteral(",")
            interpolation.appendInterpolation(number)
        }
        interpolation.appendLiteral(")")
        let query = PostgresQuery(stringInterpolation: interpolation)
        await expectPostgresError(.encodingFailed) { _ = try await TestDatabase.current.pool.query(query) }
    }

    @Test func bigResultsAndParameters() async throws {
        let connection = try await TestDatabase.current.connect()
        let rows = try await connection.query("SELECT n, repeat('x', 100) AS text FROM generate_series(1, 100000) AS n")
        #expect(rows.count == 100_000)
        var sum = 0
        for row in rows { sum += try row.decode("n", as: Int.self) }
        #expect(sum == 5_000_050_000)
        let big = String(repeating: "0123456789", count: 1_000_000)
        let echoed = try await connection.query("SELECT \(big) AS big, length(\(big)) AS length")
        #expect(try echoed[0].decode("big", as: String.self) == big)
        #expect(try echoed[0].decode("length", as: Int.self) == 10_000_000)
        let numbers = Array(0..<200_000)
        let total = try await connection.query("SELECT sum(n)::int8 AS total FROM unnest(\(numbers)) AS n")
        #expect(try total[0].decode("total", as: Int.self) == numbers.reduce(0, +))
        await connection.close()
    }

    @Test func aSecondStatementAtTheSameTimeIsRefused() async throws {
        let connection = try await TestDatabase.current.connect()
        let slow = Task { try await connection.query("SELECT pg_sleep(60)") }
        try await eventually { try await isSleeping(connection) }
        await expectPostgresError(.connectionBusy) { _ = try await connection.query("SELECT 1") }
        slow.cancel()
        await #expect(throws: CancellationError.self) { try await slow.value }
        await connection.close()
    }

    private func isSleeping(_ connection: PostgresConnection) async throws -> Bool {
        let processID = await connection.backendProcessID ?? 0
        let rows = try await TestDatabase.current.pool.query(
            "SELECT FROM pg_stat_activity WHERE pid = \(processID) AND state = 'active' AND wait_event = 'PgSleep'"
        )
        return !rows.isEmpty
    }

    @Test func cancellingTheTaskCancelsTheStatement() async throws {
        let connection = try await TestDatabase.current.connect()
        for _ in 0..<3 {
            let task = Task { try await connection.query("SELECT pg_sleep(60)") }
            try await eventually { try await isSleeping(connection) }
            let start = ContinuousClock.now
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(start.duration(to: .now) < .seconds(4))
            #expect(try await connection.query("SELECT 5 AS n")[0].decode("n", as: Int.self) == 5)
        }
        await connection.close()
    }

    @Test func cancellingAtAnyMomentLeavesTheConnectionUsable() async throws {
        let connection = try await TestDatabase.current.connect()
        for round in 0..<60 {
            let task = Task { try await connection.query("SELECT pg_sleep(30)") }
            for _ in 0..<round * 20 { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try await connection.query("SELECT \(round) AS n")[0].decode("n", as: Int.self) == round)
        }
        await connection.close()
    }

    @Test func aStatementHasATimeout() async throws {
        let connection = try await TestDatabase.current.connect()
        let error = await expectPostgresError(.queryTimedOut) {
            _ = try await connection.query("SELECT pg_sleep(60)", timeout: .after(.milliseconds(100)))
        }
        #expect(error?.isRetryable == true)
        #expect(try await connection.query("SELECT 5 AS n")[0].decode("n", as: Int.self) == 5)
        await connection.close()
    }

    @Test func noticesGoIntoTheLog() async throws {
        let lines = LogLines()
        let logger = Logger(label: "notices", factory: { _ in lines })
        let connection = try await PostgresConnection.connect(TestDatabase.current.configuration, logger: logger)
        try await connection.runScript("DO $$ BEGIN RAISE NOTICE 'hear, hear'; END $$")
        #expect(lines.all.contains { $0.contains("hear, hear") })
        await connection.close()
    }
}
