import Foundation
import Logging
import TestSupport
import Testing

@testable import Postgres

/// Connection strings that name several servers, of which one is silent: it takes the connection and never says a word.
@Suite(.timeLimit(.minutes(2)))
struct SeveralHostsTests {
    /// Less than the two seconds that a silent server costs.
    private static let quick = Duration.seconds(1.7)

    private func connect(
        _ string: String,
        requiresWriting: Bool = true
    ) async throws -> (port: Int, duration: Duration) {
        let began = ContinuousClock.now
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: string, requiresWriting: requiresWriting),
            logger: Logger(label: "test")
        )
        let duration = ContinuousClock.now - began
        let port: Int32 = try #require(try await connection.query("SELECT inet_server_port()").first).decode(at: 0)
        await connection.close()
        return (Int(port), duration)
    }

    @Test func aSilentServerCostsTwoSecondsOnceAndNothingThen() async throws {
        let cluster = try await PrivateCluster.shared()
        let silent = try SilentAddress()
        let string = "postgresql://postgres@127.0.0.1:\(silent.port),127.0.0.1:\(cluster.port)/postgres"
        let first = try await connect(string)
        #expect(first.port == cluster.port)
        #expect(first.duration >= .seconds(1) && first.duration < .seconds(5), "\(first.duration)")
        for _ in 1...3 {
            let next = try await connect(string)
            #expect(next.port == cluster.port && next.duration < Self.quick, "\(next.duration)")
        }
    }

    @Test func theTimeOfTheConnectionStringStands() async throws {
        let cluster = try await PrivateCluster.shared()
        let silent = try SilentAddress()
        let hosts = "127.0.0.1:\(silent.port),127.0.0.1:\(cluster.port)"
        let first = try await connect("postgresql://postgres@\(hosts)/postgres?connect_timeout=4")
        #expect(first.duration >= .seconds(3), "\(first.duration)")
    }

    /// Both are away: the one takes no writes, the other is silent. The answer is waited for, the silence is not.
    @Test func aSilentServerIsPassedOverWhileAnotherAnswers() async throws {
        let cluster = try await PrivateCluster.start()
        let silent = try SilentAddress()
        let string = "postgresql://postgres@127.0.0.1:\(silent.port),127.0.0.1:\(cluster.port)/postgres"
        try await cluster.setReadOnly(true)
        await expectPostgresError(.connectionFailed) { _ = try await connect(string) }
        let began = ContinuousClock.now
        let error = await expectPostgresError(.connectionFailed) { _ = try await connect(string) }
        #expect(.now - began < Self.quick)
        #expect(error?.message.contains("127.0.0.1:\(silent.port) was silent a moment ago") == true)
        try await cluster.setReadOnly(false)
        let next = try await connect(string)
        #expect(next.port == cluster.port && next.duration < Self.quick, "\(next.duration)")
        try await cluster.remove()
    }

    /// A connection that has gone silent is as good a reason as one that could not be made.
    @Test func theOtherServerIsTriedFirstAfterAConnectionWentSilent() async throws {
        let (first, second) = (try await PrivateCluster.start(), try await PrivateCluster.start())
        let string = "postgresql://postgres@127.0.0.1:\(first.port),127.0.0.1:\(second.port)/postgres"
        var configuration = PostgresConfiguration(connectionString: string, requiresWriting: true)
        configuration.cancelGrace = .zero
        let connection = try await PostgresConnection.connect(configuration, logger: Logger(label: "test"))
        try first.freeze()
        await expectPostgresError(.connectionLost) {
            _ = try await connection.query("SELECT 1", timeout: .after(.milliseconds(200)))
        }
        let next = try await connect(string)
        #expect(next.port == second.port && next.duration < Self.quick, "\(next.duration)")
        try first.thaw()
        try await first.remove()
        try await second.remove()
    }

    @Test func passwordsAreThoseOfTheServer() async throws {
        let first = try await PrivateCluster.start(.init(password: "one"))
        let second = try await PrivateCluster.start(.init(password: "two"))
        let file = "\(second.folder)/passwords"
        let lines = "127.0.0.1:\(first.port):*:postgres:one\n127.0.0.1:\(second.port):*:postgres:two\n"
        #expect(
            FileManager.default.createFile(
                atPath: file,
                contents: Data(lines.utf8),
                attributes: [.posixPermissions: 0o600]
            )
        )
        let string =
            "host=127.0.0.1,127.0.0.1 port=\(first.port),\(second.port) user=postgres dbname=postgres passfile=\(file)"
        #expect(try await connect(string).port == first.port)
        try await first.stop()
        #expect(try await connect(string).port == second.port)
        try await first.start()
        #expect(try await connect(string).port == second.port, "the one that worked last comes first")
        try await first.remove()
        try await second.remove()
    }

    @Test func aStandbyIsPreferredWhereThatIsAskedFor() async throws {
        let primary = try await PrivateCluster.start()
        let standby = try await PrivateCluster.startStandby(of: primary, port: primary.port)
        let string = "postgresql://postgres@127.0.0.1:\(primary.port),127.0.0.1:\(standby.port)/postgres"
        let preferring = string + "?target_session_attrs=prefer-standby"
        #expect(try await connect(preferring).port == standby.port)
        #expect(try await connect(string).port == primary.port)
        try await standby.stop()
        #expect(try await connect(preferring).port == primary.port)
        try await standby.remove()
        try await primary.remove()
    }

    @Test func onlyServersThatLibPQNamesOneByOneAreOrdered() {
        let several = ServerHost.named(in: ["host": "a,b", "port": "1,"])
        #expect(several == [ServerHost(host: "a", port: "1"), ServerHost(host: "b", port: "5432")])
        let addresses = ServerHost.named(in: ["host": "a,b", "hostaddr": "10.0.0.1,10.0.0.2", "port": "7"])
        #expect(addresses.map(\.address) == ["10.0.0.1", "10.0.0.2"] && addresses.allSatisfy { $0.port == nil })
        for options in [
            ["host": "a"], ["host": "a,"], ["host": "a,b", "hostaddr": "10.0.0.1"], ["host": "a,b", "port": "1,2,3"],
            ["host": "a,b", "service": "s"], [:],
        ] {
            #expect(ServerHost.named(in: options).isEmpty, "\(options)")
        }
    }
}

/// A port on which connections are taken by the kernel alone.
final class SilentAddress: Sendable {
    let port: Int
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (descriptor, size) = (descriptor, length)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isListening else { throw POSIXError(.EADDRNOTAVAIL) }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}
