import Foundation
import Logging
import Postgres
import TestSupport
import Testing

/// Servers that say nothing, on connections that are open and on new ones.
@Suite(.database(), .timeLimit(.minutes(2)))
struct SilentServerTests {
    private func makePool(size: Int) throws -> PostgresPool {
        PostgresPool(configuration: try TestDatabase.current.configuration, size: size, logger: Logger(label: "test"))
    }

    @Test func whatTheServerDoesNotHearIsEndedAndWhatItWorksOnIsNot() async throws {
        let (pool, other) = (try makePool(size: 2), try makePool(size: 1))
        try await pool.withConnection { silent in
            let process: Int32 = try #require(try await silent.query("SELECT pg_backend_pid() WHERE \(true)").first)
                .decode(at: 0)
            let slow = Task { try await pool.query("SELECT pg_sleep(\(1.5)) IS NULL AS done") }
            try await eventually { pool.statistics.inUse == 2 }
            kill(process, SIGSTOP)
            defer { kill(process, SIGCONT) }
            let began = ContinuousClock.now
            let statement = Task { try await silent.query("SELECT \(1)") }
            let watch = Task {
                while !Task.isCancelled {
                    try await pool.endUnheard(after: .milliseconds(300)) { try await other.query($0) }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            let error = await expectPostgresError(.connectionLost) { _ = try await statement.value }
            #expect(error?.isSilence == true)
            #expect(.now - began < .seconds(10), "a statement has thirty")
            #expect(try await slow.value.count == 1)
            watch.cancel()
        }
        await pool.shutdown()
        await other.shutdown()
    }

    /// A connection that went silent before its first statement, of which nobody knows yet that its session is its own.
    @Test func theFirstStatementOfAConnectionIsEndedToo() async throws {
        var configuration = try TestDatabase.current.configuration
        configuration.applicationName = "never-heard"
        let pool = PostgresPool(configuration: configuration, size: 1, logger: Logger(label: "test"))
        let other = try makePool(size: 1)
        try await pool.withConnection { silent in
            let process: Int32 = try #require(
                try await other.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'never-heard'").first
            ).decode(at: 0)
            kill(process, SIGSTOP)
            defer { kill(process, SIGCONT) }
            let began = ContinuousClock.now
            let statement = Task { try await silent.query("SELECT \(1)") }
            let watch = Task {
                while !Task.isCancelled {
                    try await pool.endUnheard(after: .milliseconds(300)) { try await other.query($0) }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            let error = await expectPostgresError(.connectionLost) { _ = try await statement.value }
            #expect(error?.isSilence == true)
            #expect(.now - began < .seconds(10), "a statement has thirty")
            watch.cancel()
        }
        await pool.shutdown()
        await other.shutdown()
    }

    /// What began in a silence is over soon after it; a server that is only slow gets its time all the same.
    @Test func attemptsToConnectAreQuickAtFirst() async throws {
        let silent = try SilentAddress()
        var configuration = try TestDatabase.current.configuration
        configuration.connectionString = "postgresql://postgres@127.0.0.1:\(silent.port)/postgres"
        configuration.connectTimeout = .seconds(7)
        let pool = PostgresPool(
            configuration: configuration,
            size: 4,
            maximumReconnectDelay: .milliseconds(1),
            logger: Logger(label: "test")
        )
        var times: [Duration] = []
        try await eventually(within: .seconds(60), "six attempts") {
            let began = ContinuousClock.now
            // Attempts side by side are one, unless they end apart.
            async let other = expectPostgresError(.connectionFailed) { _ = try await pool.query("SELECT 1") }
            await expectPostgresError(.connectionFailed) { _ = try await pool.query("SELECT 1") }
            _ = await other
            // Between two attempts callers fail at once.
            if .now - began > .seconds(1) { times.append(.now - began) }
            return times.count == 6
        }
        #expect(times.prefix(3).allSatisfy { $0 < .seconds(6) }, "\(times)")
        #expect(times[5] > .seconds(6), "\(times)")
        await pool.shutdown()
    }
}
