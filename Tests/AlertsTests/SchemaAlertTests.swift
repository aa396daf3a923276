import CurlHTTP
import Foundation
import Logging
import Postgres
import SyncSchema
import Telemetry
import TestSupport
import Testing

@testable import Alerts

@Suite("A database that is not migrated", .timeLimit(.minutes(2)))
struct SchemaAlertTests {
    private func alert(_ fixture: AlertFixture, folder: String?) -> SchemaAlert {
        SchemaAlert(
            configuration: fixture.configuration,
            http: HTTPClientConfiguration(usesProxyFromEnvironment: false),
            worker: "w1",
            folder: folder,
            logger: fixture.logger
        )
    }

    private func newFolder() -> String {
        FileManager.default.temporaryDirectory.appending(path: "alerts-\(UUID().uuidString)").path
    }

    @Test("Without the tables it goes straight out, once in the window however often a worker starts", .database())
    func withoutTables() async throws {
        var fixture = try AlertFixture()
        let (pager, webhook) = (try ScriptedServer(), try ScriptedServer())
        defer { for server in [pager, webhook] { server.stop() } }
        fixture.configuration.channels = [AlertFixture.pagerDuty(pager), AlertFixture.webhook(webhook)]
        let folder = newFolder()
        defer { _ = try? FileManager.default.removeItem(atPath: folder) }
        for _ in 0..<3 { await alert(fixture, folder: folder).send(fault: "0001 is pending", pool: fixture.pool) }
        #expect(pager.requests.count == 1 && webhook.requests.count == 1)
        #expect((try webhook.requests[0].json()["text"] as? String)?.contains("0001 is pending") == true)
        // A worker that can start says that it is over.
        for _ in 0..<2 { await alert(fixture, folder: folder).resolve() }
        #expect(try pager.requests.map { try $0.json()["event_action"] as? String } == ["trigger", "resolve"])
        #expect(webhook.requests.count == 1)
    }

    @Test("With them it goes the way of every alert", .migrated)
    func withTables() async throws {
        var fixture = try AlertFixture()
        let pager = try ScriptedServer()
        defer { pager.stop() }
        fixture.configuration.channels = [AlertFixture.pagerDuty(pager)]
        for _ in 0..<3 { await alert(fixture, folder: nil).send(fault: "0099 is pending", pool: fixture.pool) }
        #expect(pager.requests.count == 1)
        #expect(try await fixture.onlyAlert().key == "schema_not_current")
        try await fixture.pool.execute("UPDATE sync_alerts SET last_at = last_at - interval '1 hour'")
        try await fixture.evaluator().evaluate()
        try await fixture.deliverAll()
        #expect(try pager.requests.map { try $0.json()["event_action"] as? String } == ["trigger", "resolve"])
    }

    @Test("A channel that does not answer holds nothing up", .database())
    func unreachable() async throws {
        var fixture = try AlertFixture()
        fixture.configuration.channels = [.slack(url: .init("http://127.0.0.1:1/hidden"))]
        await alert(fixture, folder: nil).send(fault: "pending", pool: fixture.pool)
        #expect(fixture.log.lines.contains { $0.hasPrefix("error Alert not delivered.") })
        #expect(!fixture.log.lines.joined().contains("hidden"))
    }
}
