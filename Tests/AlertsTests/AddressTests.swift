import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import Alerts

/// That an alert is over is told to the addresses that were told of it, and to no others.
@Suite("Whom it is told that an alert is over", .migrated, .timeLimit(.minutes(2)))
struct AddressTests {
    private func told(_ server: ScriptedServer, _ fault: String) -> Int {
        server.requests.count { $0.body.contains(fault) }
    }

    /// As if nothing had failed for so long that it is over.
    private func endAlerts(_ fixture: AlertFixture) async throws {
        try await fixture.age(by: 3601)
        try await fixture.gather()
        #expect(try await fixture.openAlerts().isEmpty)
    }

    private func states(_ fixture: AlertFixture) async throws -> [String] {
        try await fixture.pool.query("SELECT state FROM sync_alert_deliveries ORDER BY 1").map {
            try $0.decode("state")
        }
    }

    @Test("Another address hears nothing of what only the one before was told")
    func anotherAddress() async throws {
        var fixture = try AlertFixture()
        let (old, new) = (try ScriptedServer(), try ScriptedServer())
        defer {
            old.stop()
            new.stop()
        }
        fixture.configuration.channels = [AlertFixture.slack(old)]
        try await fixture.deliverAll()
        try await fixture.failJob("anna", "old fault")
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(told(old, "old fault") == 1)
        fixture.configuration.channels = [AlertFixture.slack(new)]
        try await fixture.deliverAll()
        try await endAlerts(fixture)
        try await fixture.deliverAll()
        #expect(told(new, "old fault") == 0, "\(new.requests)")
        // What begins now is told to it, and that it is over.
        try await fixture.failJob("bob", "new fault")
        try await fixture.gather()
        try await fixture.deliverAll()
        try await endAlerts(fixture)
        try await fixture.deliverAll()
        #expect(told(new, "new fault") == 2, "\(new.requests)")
        #expect(old.requests.count == 1)
    }

    @Test("An address that comes back hears that what it was told of is over")
    func back() async throws {
        var fixture = try AlertFixture()
        let (old, new) = (try ScriptedServer(), try ScriptedServer())
        defer {
            old.stop()
            new.stop()
        }
        fixture.configuration.channels = [AlertFixture.slack(old)]
        try await fixture.failJob("anna", "old fault")
        try await fixture.gather()
        try await fixture.deliverAll()
        fixture.configuration.channels = [AlertFixture.slack(new)]
        try await fixture.deliverAll()
        fixture.configuration.channels = [AlertFixture.slack(old)]
        try await endAlerts(fixture)
        try await fixture.deliverAll()
        #expect(told(old, "old fault") == 2, "\(old.requests)")
        #expect(new.requests.isEmpty)
    }

    @Test("A channel that was absent hears nothing of what was over when it came back, and all of what is open")
    func absent() async throws {
        var fixture = try AlertFixture()
        let server = try ScriptedServer()
        defer { server.stop() }
        let channels = [AlertFixture.slack(server)]
        fixture.configuration.channels = channels
        try await fixture.deliverAll()
        try await fixture.pool.execute(
            """
            UPDATE sync_alert_channels SET known_since = known_since - interval '1 hour', seen_at = seen_at - interval '11 minutes'
            """
        )
        try await fixture.failJob("anna", "short fault")
        try await fixture.gather()
        try await endAlerts(fixture)
        try await fixture.failJob("bob", "lasting fault")
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(told(server, "short fault") == 0, "\(server.requests)")
        #expect(told(server, "lasting fault") == 1)
        try await endAlerts(fixture)
        try await fixture.deliverAll()
        #expect(told(server, "short fault") == 0 && told(server, "lasting fault") == 2, "\(server.requests)")
    }

    @Test("A channel whose worker was only restarted hears of what was over meanwhile")
    func restarted() async throws {
        var fixture = try AlertFixture()
        let server = try ScriptedServer()
        defer { server.stop() }
        fixture.configuration.channels = [AlertFixture.slack(server)]
        try await fixture.deliverAll()
        try await fixture.failJob("anna", "short fault")
        try await fixture.gather()
        try await endAlerts(fixture)
        try await fixture.deliverAll()
        #expect(told(server, "short fault") == 2, "\(server.requests)")
    }

    @Test("Where the message that it began never arrived, none says that it is over")
    func failedMessage() async throws {
        var fixture = try AlertFixture()
        let server = try ScriptedServer([.status(400)])
        defer { server.stop() }
        fixture.configuration.channels = [AlertFixture.slack(server)]
        let lane = try #require(fixture.lanes().first)
        try await lane.register()
        try await fixture.failJob("anna", "a fault")
        try await fixture.gather()
        try await endAlerts(fixture)
        // Both deliveries are made before the first is tried.
        try await lane.expand()
        #expect(try await states(fixture) == ["pending", "pending"])
        try await fixture.deliverAll()
        #expect(server.requests.count == 1)
        #expect(try await states(fixture) == ["failed", "silenced"])
    }

    @Test("What waits for the old address goes to the new one, with its end")
    func waiting() async throws {
        var fixture = try AlertFixture()
        let (old, new) = (try ScriptedServer([.status(500)]), try ScriptedServer())
        defer {
            old.stop()
            new.stop()
        }
        fixture.configuration.channels = [AlertFixture.slack(old)]
        try await fixture.failJob("anna", "a fault")
        try await fixture.gather()
        for lane in fixture.lanes() {
            try await lane.register()
            try await lane.expand()
            #expect(try await lane.claim() != nil)
        }
        try await fixture.pool.execute("UPDATE sync_alert_deliveries SET lease = NULL, lease_expires_at = NULL")
        fixture.configuration.channels = [AlertFixture.slack(new)]
        try await fixture.deliverAll()
        try await endAlerts(fixture)
        try await fixture.deliverAll()
        #expect(told(new, "a fault") == 2, "\(new.requests)")
    }
}
