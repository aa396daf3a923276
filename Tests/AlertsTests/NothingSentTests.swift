import CurlHTTP
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Alerts

@Suite("Where alerts are off", .migrated, .timeLimit(.minutes(2)))
struct NothingSentTests {
    @Test("Every condition is found and listed; nothing is sent, and no channel is known")
    func allConditions() async throws {
        let webhook = try ScriptedServer()
        defer { webhook.stop() }
        var fixture = try AlertFixture()
        fixture.configuration = NotificationConfiguration(
            isEnabled: false,
            channels: [AlertFixture.webhook(webhook)]
        )
        fixture.configuration.groupWait = .zero
        fixture.configuration.checkInterval = .milliseconds(100)
        fixture.configuration.pollInterval = .milliseconds(50)
        for _ in 1...3 { try await fixture.failJob("anna") }
        let service = NotificationService(
            configuration: fixture.configuration,
            pool: fixture.pool,
            peers: HTTPClient(),
            http: HTTPClientConfiguration(usesProxyFromEnvironment: false),
            worker: "w1",
            logger: fixture.logger
        )
        let running = Task { try await service.run() }
        try await eventually(within: .seconds(20), "the condition") {
            try await fixture.openAlerts().contains { $0.key == "user_failing:anna" && $0.notifiedAt != nil }
        }
        running.cancel()
        _ = try? await running.value
        let alerts = try await fixture.openAlerts()
        #expect(alerts.allSatisfy { $0.telling == .nobody }, "\(alerts)")
        #expect(try await !AlertRegister(pool: fixture.pool).hasChannel())
        #expect(webhook.bodies.isEmpty)
    }
}
