import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import Alerts

@Suite("One condition, one alert", .migrated, .timeLimit(.minutes(2)))
struct WindowTests {
    @Test("Within the window it is counted, after it told once more, and when all is quiet over")
    func repeats() async throws {
        let fixture = try AlertFixture()
        try await fixture.failJob("anna")
        try await fixture.gather()
        #expect(try await fixture.notices() == ["trigger 1"])
        try await fixture.failJob("anna")
        try await fixture.failJob("bob")
        try await fixture.gather()
        #expect(try await fixture.notices() == ["trigger 1"])
        #expect(try await fixture.onlyAlert().count == 3)

        try await fixture.age(by: 3601)
        try await fixture.failJob("anna")
        try await fixture.gather()
        #expect(try await fixture.notices() == ["trigger 1", "repeat 4"])

        try await fixture.age(by: 3601)
        try await fixture.gather()
        #expect(try await fixture.notices() == ["trigger 1", "repeat 4", "resolve 4"])
        #expect(try await fixture.openAlerts().isEmpty)

        try await fixture.failJob("anna")
        try await fixture.gather()
        #expect(try await fixture.onlyAlert().count == 1)
        #expect(try await fixture.notices().last == "trigger 1")
    }

    @Test("A new alert waits for more of its kind")
    func groupWait() async throws {
        var fixture = try AlertFixture()
        fixture.configuration.groupWait = .seconds(60)
        try await fixture.failJob("anna")
        try await fixture.gather()
        #expect(try await fixture.notices().isEmpty)
        try await fixture.failJob("bob")
        try await fixture.age(by: 61)
        try await fixture.gather()
        #expect(try await fixture.notices() == ["trigger 2"])
    }

    @Test("A silenced key is counted and not told until the silence ends")
    func silence() async throws {
        let fixture = try AlertFixture()
        let register = AlertRegister(pool: fixture.pool)
        try await fixture.failJob("anna")
        try await fixture.gather()
        let key = try await fixture.onlyAlert().key
        #expect(try await register.silence("nonsense", for: .seconds(60)) == nil)
        #expect(try await register.silence(key, for: .seconds(7200)) != nil)
        try await fixture.failJob("anna")
        try await fixture.age(by: 3601)
        try await fixture.failJob("anna")
        try await fixture.gather()
        #expect(try await fixture.notices() == ["trigger 1"])
        #expect(try await fixture.onlyAlert().silencedUntil != nil)
        try await fixture.pool.execute("UPDATE sync_alert_silences SET until = now()")
        try await fixture.gather()
        #expect(try await fixture.notices() == ["trigger 1", "repeat 3"])
    }

    @Test("A silence stops what is on its way")
    func silenceOnTheWay() async throws {
        var fixture = try AlertFixture()
        let server = try ScriptedServer(statuses: [500])
        defer { server.stop() }
        fixture.configuration.channels = [AlertFixture.webhook(server)]
        fixture.configuration.backoff.base = .seconds(600)
        fixture.configuration.backoff.cap = .seconds(600)
        try await fixture.failJob("anna")
        try await fixture.gather()
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        let key = try await fixture.onlyAlert().key
        #expect(try await AlertRegister(pool: fixture.pool).silence(key, for: .seconds(60)) != nil)
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_deliveries WHERE state = 'silenced'") == 1)
    }

    @Test("A channel that is new hears nothing of what is silenced, until the silence ends")
    func silenceAndNewChannel() async throws {
        var fixture = try AlertFixture()
        let server = try ScriptedServer(statuses: [200])
        defer { server.stop() }
        try await fixture.failJob("anna")
        try await fixture.gather()
        let key = try await fixture.onlyAlert().key
        #expect(try await AlertRegister(pool: fixture.pool).silence(key, for: .seconds(60)) != nil)
        fixture.configuration.channels = [AlertFixture.webhook(server)]
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_deliveries") == 0)
        try await fixture.pool.execute("UPDATE sync_alert_silences SET until = now()")
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_deliveries WHERE state = 'delivered'") == 1)
    }

    @Test("A new channel hears of what is open and not of what was over before it, which an old one does hear of")
    func newChannel() async throws {
        var fixture = try AlertFixture()
        let (old, new) = (try ScriptedServer(), try ScriptedServer())
        defer {
            old.stop()
            new.stop()
        }
        fixture.configuration.channels = [AlertFixture.slack(old)]
        for lane in fixture.lanes() { try await lane.register() }
        try await fixture.failJob("anna", "short fault")
        try await fixture.gather()
        try await fixture.age(by: 3601)
        try await fixture.gather()
        #expect(try await fixture.openAlerts().isEmpty)
        try await fixture.failJob("bob", "lasting fault")
        try await fixture.gather()

        fixture.configuration.channels.append(AlertFixture.webhook(new))
        try await fixture.deliverAll()
        func told(_ server: ScriptedServer, _ fault: String) -> Int {
            server.requests.count { $0.body.contains(fault) }
        }
        #expect(told(old, "short fault") == 2, "that it came and that it is over: \(old.requests)")
        #expect(told(old, "lasting fault") == 1)
        #expect(told(new, "short fault") == 0, "\(new.requests)")
        #expect(told(new, "lasting fault") == 1)
    }

    @Test("What is over is forgotten after its time, what is open is not")
    func pruning() async throws {
        let fixture = try AlertFixture()
        try await fixture.failJob("anna")
        try await fixture.gather()
        try await fixture.age(by: 3601)
        try await fixture.gather()
        try await fixture.failJob("bob")
        try await fixture.gather()
        try await fixture.evaluator().prune()
        #expect(try await fixture.count("SELECT count(*) FROM sync_alerts") == 2)
        try await fixture.pool.execute("UPDATE sync_alerts SET resolved_at = resolved_at - interval '31 days'")
        try await fixture.evaluator().prune()
        #expect(try await fixture.count("SELECT count(*) FROM sync_alerts") == 1)
        #expect(try await fixture.notices() == ["trigger 1"])
    }
}
