import Foundation
import Logging
import Postgres
import ServiceLifecycle
import TestSupport
import Testing

/// The bound, the order and the recovery of the pool.
@Suite(.database(), .timeLimit(.minutes(2)))
struct PoolTests {
    private func makePool(size: Int) throws -> PostgresPool {
        PostgresPool(configuration: try TestDatabase.current.configuration, size: size, logger: Logger(label: "test"))
    }

    @Test func neverLeasesMoreThanItsSize() async throws {
        let pool = try makePool(size: 4)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await pool.withConnection { connection in
                        #expect(pool.statistics.inUse <= 4)
                        let rows = try await connection.query(
                            "SELECT \(number) AS n, count(*)::int AS c FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
                        )
                        #expect(try rows[0].decode("c", as: Int.self) <= 4)
                        return try rows[0].decode("n")
                    }
                }
            }
            var sum = 0
            for try await number in group { sum += number }
            #expect(sum == 199 * 100)
        }
        // A connection nobody waits for any more may still be on its way.
        try await eventually("the pool at rest") {
            let use = pool.statistics
            return use.inUse == 0 && use.waiting == 0 && use.connecting == 0 && (1...4).contains(use.idle)
        }
        await pool.shutdown()
        #expect(pool.statistics.idle == 0)
        await expectPostgresError(.poolClosed) { _ = try await pool.query("SELECT 1") }
    }

    @Test func waitersAreServedInOrderAndMayGiveUp() async throws {
        let pool = try makePool(size: 1)
        let order = Order()
        try await pool.withConnection { _ in
            var tasks: [Task<Void, any Error>] = []
            for number in 0..<4 {
                tasks.append(Task { try await pool.withConnection { _ in await order.append(number) } })
                try await eventually { pool.statistics.waiting == number + 1 }
            }
            tasks[1].cancel()
            await #expect(throws: CancellationError.self) { try await tasks[1].value }
            #expect(pool.statistics.waiting == 3)
        }
        try await eventually { await order.numbers.count == 3 }
        #expect(await order.numbers == [0, 2, 3])
        await pool.shutdown()
    }

    @Test func aKilledBackendIsReplacedWithoutAnError() async throws {
        let pool = try makePool(size: 2)
        let first = try await pool.withConnection { await $0.backendProcessID ?? 0 }
        let other = try await TestDatabase.current.connect()
        try await other.execute("SELECT pg_terminate_backend(\(first), 5000)")
        let second = try await pool.withConnection { connection in
            _ = try await connection.query("SELECT 1")
            return await connection.backendProcessID ?? 0
        }
        #expect(first != second)
        await other.close()
        await pool.shutdown()
    }

    @Test func aBackendKilledInAStatementIsAConnectionFailure() async throws {
        let pool = try makePool(size: 2)
        let error = await expectPostgresError(.connectionLost) {
            try await pool.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        }
        #expect(error?.sqlState == .adminShutdown)
        #expect(error?.isRetryable == true && error?.isConnectionFailure == true)
        #expect(try await pool.query("SELECT 1").count == 1)
        await pool.shutdown()
    }

    @Test func aBackendKilledAtAnyMomentIsNoticed() async throws {
        let pool = try makePool(size: 8)
        let killer = try await TestDatabase.current.connect()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for _ in 0..<60 {
                        do {
                            _ = try await pool.query("SELECT pg_sleep(\(Double(number) / 500))")
                        } catch let error as PostgresError where error.isConnectionFailure {
                            continue
                        }
                    }
                }
            }
            for _ in 0..<40 {
                try await killer.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5
                    """
                )
            }
            try await group.waitForAll()
        }
        await killer.close()
        await pool.shutdown()
    }

    @Test func aConnectionLeftInATransactionIsNotReused() async throws {
        let pool = try makePool(size: 1)
        let first = try await pool.withConnection { connection in
            try await connection.execute("BEGIN")
            return await connection.backendProcessID
        }
        #expect(try await pool.withConnection { await $0.backendProcessID } != first)
        await pool.shutdown()
    }

    @Test func survivesAStopAndStartOfTheServer() async throws {
        let cluster = try await PrivateCluster.start()
        let pool = PostgresPool(
            configuration: cluster.configuration(database: "postgres"),
            size: 3,
            logger: Logger(label: "test")
        )
        _ = try await pool.query("SELECT 1")
        for mode in [PrivateCluster.StopMode.fast, .immediate] {
            let sleeping = Task { try await pool.query("SELECT pg_sleep(60)") }
            try await eventually {
                try await !pool.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'").isEmpty
            }
            try await cluster.stop(mode: mode)
            await expectPostgresError(.connectionLost) { _ = try await sleeping.value }
            for _ in 0..<20 {
                let start = ContinuousClock.now
                let error = await expectPostgresError(.connectionFailed) { _ = try await pool.query("SELECT 1") }
                #expect(error?.isRetryable == true)
                #expect(start.duration(to: .now) < .seconds(2))
            }
            try await cluster.start()
            try await eventually(within: .seconds(20), "the pool's recovery") {
                do {
                    return try await pool.query("SELECT 1").count == 1
                } catch let error as PostgresError where error.isConnectionFailure {
                    return false
                }
            }
        }
        await pool.shutdown()
        try await cluster.remove()
    }

    /// Opens all connections of a pool and gives the numbers of their server processes.
    private func processes(of pool: PostgresPool) async throws -> [pid_t] {
        try await pool.withConnection { first in
            try await pool.withConnection { second in
                try await pool.withConnection { third in
                    var processes: [pid_t] = []
                    for connection in [first, second, third] {
                        processes.append(await connection.backendProcessID ?? 0)
                    }
                    return processes
                }
            }
        }
    }

    /// As after a failover, for those that still lead to what is now a standby.
    @Test func oneServerThatTakesNoWritesCostsAllIdleConnections() async throws {
        let pool = try makePool(size: 3)
        try await pool.execute("CREATE TABLE t (n int)")
        _ = try await processes(of: pool)
        for _ in 1...3 {
            let held = try await pool.withConnection { first in
                try await first.execute("SET default_transaction_read_only = on")
                return try await pool.withConnection { second in
                    try await second.execute("SET default_transaction_read_only = on")
                    return try await pool.withConnection { third in
                        try await third.execute("SET default_transaction_read_only = on")
                        return pool.statistics.inUse
                    }
                }
            }
            #expect(held == 3)
            let error = await expectPostgresError(.server) { try await pool.execute("INSERT INTO t VALUES (1)") }
            #expect(error?.sqlState == .readOnlySQLTransaction)
            for _ in 1...3 { try await pool.execute("INSERT INTO t VALUES (1)") }
        }
        await pool.shutdown()
    }

    /// As behind a router that has forgotten the connections, where new ones are answered.
    @Test func oneSilentConnectionCostsAllIdleOnes() async throws {
        let pool = try makePool(size: 3)
        let silent = try await processes(of: pool)
        for process in silent { kill(process, SIGSTOP) }
        defer { for process in silent { kill(process, SIGCONT) } }
        await expectPostgresError(.connectionLost) {
            _ = try await pool.query("SELECT 1", timeout: .after(.milliseconds(200)))
        }
        for _ in 1...3 {
            let process: Int32 = try #require(try await pool.query("SELECT pg_backend_pid()").first).decode(at: 0)
            #expect(!silent.contains(process))
        }
        for process in silent { kill(process, SIGCONT) }
        await pool.shutdown()
    }

    @Test func aConnectionThatHasRestedIsAskedFirst() async throws {
        let pool = PostgresPool(
            configuration: try TestDatabase.current.configuration,
            size: 3,
            trustedRest: .zero,
            logger: Logger(label: "test")
        )
        let silent = try await processes(of: pool)
        for process in silent { kill(process, SIGSTOP) }
        defer { for process in silent { kill(process, SIGCONT) } }
        let began = ContinuousClock.now
        let process: Int32 = try #require(try await pool.query("SELECT pg_backend_pid()").first).decode(at: 0)
        #expect(!silent.contains(process))
        // Two seconds for the answer that does not come; a statement has thirty.
        #expect(.now - began < .seconds(10))
        for process in silent { kill(process, SIGCONT) }
        await pool.shutdown()
    }

    @Test func statementsOnConnectionsInDoubtWaitNoLonger() async throws {
        let pool = try makePool(size: 4)
        let silent = try await processes(of: pool)
        for process in silent.dropFirst() { kill(process, SIGSTOP) }
        defer { for process in silent { kill(process, SIGCONT) } }
        let before = try await pool.withConnection { _ in
            // The last to be given back is the first to be used: this one is answered.
            let waiting = (1...2).map { _ in Task { try await pool.query("SELECT pg_backend_pid()") } }
            try await eventually { pool.statistics.inUse == 3 }
            let before = ContinuousClock.now
            // One more connection, made since, whose statement may take its time.
            let other = Task { try await pool.query("SELECT pg_sleep(1)") }
            try await eventually { pool.statistics.inUse == 4 }
            pool.distrustConnections(openedBefore: before, limit: .milliseconds(200))
            for task in waiting {
                let error = await expectPostgresError(.connectionLost) { _ = try await task.value }
                #expect(error?.isSilence == true)
            }
            _ = try await other.value
            return before
        }
        #expect(.now - before < .seconds(10))
        #expect(try await Set(processes(of: pool)).isDisjoint(with: silent.dropFirst()))
        for process in silent { kill(process, SIGCONT) }
        await pool.shutdown()
    }

    @Test func trustReturnsWithAnAnswer() async throws {
        let pool = try makePool(size: 1)
        try await pool.withConnection { connection in
            let process: Int32 = try #require(try await connection.query("SELECT pg_backend_pid()").first).decode(at: 0)
            pool.distrustConnections(openedBefore: .now, limit: .milliseconds(500))
            _ = try await connection.query("SELECT 1")
            #expect(try await connection.query("SELECT pg_sleep(1)").count == 1)
            pool.distrustConnections(openedBefore: .now, limit: .milliseconds(100))
            // One that is alive could still answer that the statement was cancelled.
            kill(process, SIGSTOP)
            defer { kill(process, SIGCONT) }
            let error = await expectPostgresError(.connectionLost) { _ = try await connection.query("SELECT 1") }
            #expect(error?.isSilence == true)
        }
        await pool.shutdown()
    }

    @Test func aConnectionIsUsedForALimitedTime() async throws {
        let pool = PostgresPool(
            configuration: try TestDatabase.current.configuration,
            size: 1,
            maximumAge: .milliseconds(200),
            logger: Logger(label: "test")
        )
        var processes: Set<Int32> = []
        try await eventually("a third connection") {
            processes.insert(try #require(try await pool.query("SELECT pg_backend_pid()").first).decode(at: 0))
            return processes.count == 3
        }
        await pool.shutdown()
    }

    @Test func onlyAServerThatTakesWritesWillDo() async throws {
        let database = try TestDatabase.current
        try await database.pool.execute("SELECT 1")
        var configuration = database.configuration
        configuration.connectionString += "?options=-c%20default_transaction_read_only%3Don"
        let logger = Logger(label: "test")
        await (try PostgresConnection.connect(configuration, logger: logger)).close()
        configuration.requiresWriting = true
        await expectPostgresError(.connectionFailed) {
            _ = try await PostgresConnection.connect(configuration, logger: logger)
        }
        configuration.connectionString += "&target_session_attrs=any"
        await (try PostgresConnection.connect(configuration, logger: logger)).close()
    }

    @Test func aSilentServerIsGivenUp() async throws {
        let connection = try await TestDatabase.current.connect()
        let processID = await connection.backendProcessID ?? 0
        // A stopped process keeps its socket open and says nothing, as a black hole does.
        kill(processID, SIGSTOP)
        let start = ContinuousClock.now
        await expectPostgresError(.connectionLost) {
            _ = try await connection.query("SELECT 1", timeout: .after(.milliseconds(200)))
        }
        #expect(start.duration(to: .now) < .seconds(15))
        kill(processID, SIGCONT)
        await expectPostgresError(.connectionClosed) { _ = try await connection.query("SELECT 1") }
    }

    @Test func aServiceEndsWhenAllConnectionsAreBack() async throws {
        let pool = try makePool(size: 2)
        let group = ServiceGroup(services: [pool], logger: Logger(label: "test"))
        let running = Task { try await group.run() }
        try await pool.withConnection { connection in
            await group.triggerGracefulShutdown()
            try await eventually {
                do {
                    try await pool.withConnection { _ in }
                    return false
                } catch let error as PostgresError where error.code == .poolClosed {
                    return true
                }
            }
            #expect(try await connection.query("SELECT 1").count == 1)
        }
        try await running.value
        #expect(pool.statistics.idle == 0 && pool.statistics.inUse == 0)
    }
}

private actor Order {
    private(set) var numbers: [Int] = []

    func append(_ number: Int) {
        numbers.append(number)
    }
}
