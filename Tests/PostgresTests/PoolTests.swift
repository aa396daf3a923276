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
                            "SELECT \(number) AS n, count(*)::int AS c FROM pg_stat_activity WHERE datname = current_database()"
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
