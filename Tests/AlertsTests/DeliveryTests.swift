import Foundation
import JobQueue
import Postgres
import Telemetry
import TestSupport
import Testing

@testable import Alerts

/// What every channel does with the answers it gets.
@Suite("Deliveries", .migrated, .timeLimit(.minutes(2)))
struct DeliveryTests {
    enum Kind: String, CaseIterable, Sendable {
        case webhook, slack, pagerDuty, sns, email

        func channel(_ server: ScriptedServer) -> ChannelConfiguration {
            switch self {
            case .webhook: AlertFixture.webhook(server)
            case .slack: AlertFixture.slack(server)
            case .pagerDuty: AlertFixture.pagerDuty(server)
            case .sns: AlertFixture.sns(server)
            case .email: AlertFixture.email(server)
            }
        }
    }

    private func fixture(
        _ answers: [ScriptedServer.Answer],
        _ kind: Kind = .webhook,
        attempts: Int = 5,
        timeout: Duration = .seconds(5)
    ) async throws -> (AlertFixture, ScriptedServer) {
        let server = try ScriptedServer(answers)
        var fixture = try AlertFixture()
        fixture.configuration.channels = [kind.channel(server)]
        fixture.configuration.maximumAttempts = attempts
        fixture.configuration.timeout = timeout
        try await fixture.failJob("anna")
        try await fixture.gather()
        return (fixture, server)
    }

    private func states(_ fixture: AlertFixture) async throws -> [String] {
        try await fixture.pool.query("SELECT state FROM sync_alert_deliveries ORDER BY created_at, notice_id").map {
            try $0.decode("state")
        }
    }

    @Test("An answer that does well is the end", arguments: Kind.allCases, [200, 202, 204])
    func delivered(kind: Kind, status: Int) async throws {
        let (fixture, server) = try await fixture([.status(status)], kind)
        defer { server.stop() }
        try await fixture.deliverAll()
        #expect(server.requests.count == 1)
        #expect(try await states(fixture) == ["delivered"])
    }

    @Test("A passing fault is tried again, the same message", arguments: Kind.allCases)
    func passingFaults(kind: Kind) async throws {
        let faults: [ScriptedServer.Answer] = [
            .status(500), .status(429, headers: "Retry-After: 0\r\n"), .reset, .hang, .status(503), .status(200),
        ]
        let (fixture, server) = try await fixture(faults, kind, attempts: 6, timeout: .milliseconds(300))
        defer { server.stop() }
        try await fixture.deliverAll()
        #expect(server.requests.count == 6)
        #expect(try await states(fixture) == ["delivered"])
        if kind != .webhook {
            #expect(Set(server.requests.map(\.body)).count == 1)
        }
        #expect(!fixture.log.lines.joined().contains("hidden"), "\(fixture.log.lines)")
    }

    @Test("Retry-After is respected", arguments: Kind.allCases)
    func retryAfter(kind: Kind) async throws {
        let (fixture, server) = try await fixture([.status(429, headers: "Retry-After: 100\r\n")], kind)
        defer { server.stop() }
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        let wait: Double =
            try await fixture.pool.query(
                "SELECT extract(epoch FROM run_at - now())::float8 FROM sync_alert_deliveries"
            ).first?.decode(at: 0) ?? 0
        #expect(wait > 95 && wait <= 100)
        #expect(server.requests.count == 1)
    }

    @Test("Tries have an end; what failed for good is logged and listed", arguments: Kind.allCases)
    func attempts(kind: Kind) async throws {
        let (fixture, server) = try await fixture([.status(500), .status(502), .status(500)], kind, attempts: 3)
        defer { server.stop() }
        try await fixture.deliverAll()
        #expect(server.requests.count == 3)
        #expect(try await states(fixture) == ["failed"])
        let failed = try #require(try await AlertRegister(pool: fixture.pool).failedDeliveries().first)
        #expect(failed.attempts == 3)
        #expect(failed.reason == "status 500")
        let last = try #require(fixture.log.lines.last)
        #expect(last.hasPrefix("error Alert not delivered."))
        #expect(last.contains("http://127.0.0.1") && !last.contains("hidden"), "\(last)")
    }

    @Test("A refusal and a redirect are not tried again", arguments: Kind.allCases, [400, 403, 302])
    func refusal(kind: Kind, status: Int) async throws {
        let (fixture, server) = try await fixture([.status(status, headers: "Location: http://127.0.0.1:1/\r\n")], kind)
        defer { server.stop() }
        try await fixture.deliverAll()
        #expect(server.requests.count == 1)
        #expect(try await states(fixture) == ["failed"])
    }

    @Test(
        "An address that is gone switches the channel off",
        arguments: [(Kind.webhook, 410), (.slack, 404), (.slack, 410)]
    )
    func gone(kind: Kind, status: Int) async throws {
        let (first, server) = try await fixture([.status(status, body: "no_service")], kind)
        var fixture = first
        defer { server.stop() }
        try await fixture.deliverAll()
        try await fixture.failJob("bob", "another fault")
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(server.requests.count == 1)
        #expect(try await states(fixture) == ["failed", "failed"])
        let register = AlertRegister(pool: fixture.pool)
        let disabled = try #require(try await register.disabledChannels().first)
        #expect(disabled.reason.contains("\(status)"))
        #expect(fixture.log.lines.contains { $0.hasPrefix("error The channel is off") })

        // Another address, or an operator, brings it back.
        #expect(try await register.enable(channel: disabled.name))
        try await fixture.failJob("cyd", "a third fault")
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(server.requests.count == 2)
        try await fixture.pool.execute("UPDATE sync_alert_channels SET disabled_at = now()")
        let other = try ScriptedServer()
        defer { other.stop() }
        fixture.configuration.channels = [kind.channel(other)]
        try await fixture.failJob("dan", "a fourth fault")
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(other.requests.count == 1)
    }

    @Test("410 of the others is a refusal", arguments: [Kind.pagerDuty, .sns, .email])
    func goneElsewhere(kind: Kind) async throws {
        let (fixture, server) = try await fixture([.status(410)], kind)
        defer { server.stop() }
        try await fixture.deliverAll()
        #expect(try await states(fixture) == ["failed"])
        #expect(try await AlertRegister(pool: fixture.pool).disabledChannels().isEmpty)
    }

    @Test("A worker killed after the claim loses nothing, and nobody else sends it meanwhile")
    func killed() async throws {
        let (fixture, server) = try await fixture([])
        defer { server.stop() }
        let dead = try #require(fixture.lanes(worker: "dead").first)
        try await dead.register()
        try await dead.expand()
        let claimed = try #require(try await dead.claim())
        for lane in fixture.lanes(worker: "other") { try await lane.deliverOnce() }
        #expect(server.requests.isEmpty)
        try await fixture.pool.execute("UPDATE sync_alert_deliveries SET lease_expires_at = now()")
        for lane in fixture.lanes(worker: "other") { try await lane.deliverOnce() }
        #expect(server.requests.count == 1)
        #expect(server.requests.first?["webhook-id"] == claimed.message.webhookID)
        #expect(try await states(fixture) == ["delivered"])
    }

    @Test("Of several workers one sends a message")
    func severalWorkers() async throws {
        let (first, server) = try await fixture([])
        var fixture = first
        defer { server.stop() }
        fixture.configuration.channelLimit = 1000
        for number in 0..<40 {
            try await fixture.failJob("u", "fault \(Array(repeating: "x", count: number).joined())")
        }
        try await fixture.gather()
        let workers = fixture
        try await withThrowingDiscardingTaskGroup { tasks in
            for number in 0..<4 {
                tasks.addTask { for lane in workers.lanes(worker: "w\(number)") { try await lane.deliverOnce() } }
            }
        }
        try await fixture.deliverAll()
        #expect(server.requests.count == 41)
        #expect(Set(server.requests.compactMap { $0["webhook-id"] }).count == 41)
    }
}
