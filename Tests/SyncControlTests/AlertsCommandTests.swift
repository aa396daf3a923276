import Foundation
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("syncctl alerts list, test, silence", .migrated)
struct AlertsCommandTests {
    private func control() async throws -> ControlFixture {
        let control = try ControlFixture()
        try await control.execute(
            """
            WITH alert AS (
                INSERT INTO sync_alerts (key, kind, count, user_id, users, error, first_at, last_at, notified_at, notified_count,
                    resolved_at)
                VALUES ('job_failed:0123456789ab', 'job_failed', 10000, 'anna', '{anna,bob}', 'no token', now(), now(), now(),
                        1, NULL),
                    ('peer_down:notion_writer', 'peer_down', 1, NULL, '{}', 'refused', now(), now(), NULL, 0, now())
                RETURNING id, key
            ), notice AS (
                INSERT INTO sync_alert_notices (event, alert_id, count)
                SELECT 'trigger', id, 1 FROM alert WHERE key LIKE 'job%' RETURNING id
            )
            INSERT INTO sync_alert_deliveries (notice_id, channel, state, attempt, last_error, finished_at)
            SELECT id, 'slack', 'failed', 20, 'status 500', now() FROM notice
            """
        )
        return control
    }

    @Test("Open alerts, and what never arrived")
    func list() async throws {
        let control = try await control()
        let list = try await control.run("alerts", "list")
        #expect(list.code == 0, "\(list)")
        #expect(list.output.contains("job_failed:0123456789ab") && list.output.contains("10000"))
        #expect(list.output.contains("anna, bob: no token"))
        #expect(list.output.contains("fix what the error says, then syncctl retry JOB."), "what to do")
        #expect(list.output.contains("Not delivered") && list.output.contains("status 500"))
        #expect(!list.output.contains("peer_down"))
        struct Answer: Decodable {
            struct Alert: Decodable {
                var key: String
                var severity: String
                var count: Int
                var resolvedAt: String?
            }
            struct Failed: Decodable {
                var channel: String
                var attempts: Int
            }
            var alerts: [Alert]
            var failedDeliveries: [Failed]
        }
        let all: Answer = try await control.run("alerts", "list", "--all", "--json").json()
        #expect(all.alerts.map(\.key) == ["job_failed:0123456789ab", "peer_down:notion_writer"])
        #expect(all.alerts.map(\.severity) == ["error", "critical"])
        #expect(all.alerts[1].resolvedAt != nil)
        #expect(all.failedDeliveries.map(\.channel) == ["slack"] && all.failedDeliveries[0].attempts == 20)
    }

    @Test("On a terminal keys and advice are whole, on lines of 80 columns")
    func terminal() async throws {
        let control = try await control()
        let key = "job_failed:7c83a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c"
        try await control.execute("UPDATE sync_alerts SET key = \(key) WHERE kind = 'job_failed'")
        let terminal = try PseudoTerminal(columns: 80)
        let run = try terminal.run(control, ["alerts", "list"], redirections: ["<", ">"])
        #expect(try await run.waitForExit() == .code(0))
        try await terminal.waitFor("syncctl retry --failed-since 2h.")
        #expect(terminal.screen.contains(key) && !terminal.screen.contains("…"), "\(terminal.screen)")
        let lines = terminal.screen.split(separator: "\r\n")
        #expect(lines.allSatisfy { String($0).displayWidth <= 80 || $0.contains(key) }, "\(terminal.screen)")
    }

    @Test("An alert is told once a message of it has arrived, and to nobody without channels")
    func told() async throws {
        let control = try await control()
        func told() async throws -> String { try await control.run("alerts", "list").output }
        #expect(try await told().contains("nobody (not delivered)"))
        try await control.execute("DELETE FROM sync_alert_deliveries")
        #expect(try await told().contains("nobody (no channel is on)"))
        let silent = try await control.run("alerts", "list")
        #expect(
            silent.errors.contains("Nothing is sent") && silent.errors.contains("ENABLE_NOTIFICATIONS"),
            "\(silent)"
        )
        try await control.execute("INSERT INTO sync_alert_channels (channel, target) VALUES ('slack', 'x')")
        #expect(try await told().contains("not yet"))
        try await control.execute("UPDATE sync_alerts SET notified_at = now() - interval '2 minutes'")
        let untold = try await control.run("alerts", "list")
        #expect(untold.output.contains(" nobody\n") && untold.errors.contains("syncctl workers"), "\(untold)")
        try await control.execute(
            "INSERT INTO sync_alert_deliveries (notice_id, channel) SELECT id, 'slack' FROM sync_alert_notices"
        )
        #expect(try await told().contains("not yet"))
        try await control.execute(
            "UPDATE sync_alert_deliveries SET state = 'delivered', finished_at = '2026-01-02T03:04:05Z'"
        )
        #expect(try await told().contains("01-02 03:04:05"))
        #expect(try await control.run("alerts", "list").errors.isEmpty)
        #expect(
            try await control.run("alerts", "list", "--json").output.contains(#""delivered_at":"2026-01-02T03:04:05"#)
        )
    }

    @Test("A channel that is off is named with what to do")
    func disabled() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("alerts", "list").errors.contains("no open alert"))
        try await control.execute(
            """
            INSERT INTO sync_alert_channels (channel, target, disabled_at, disabled_reason)
            VALUES ('slack', 'x', now(), 'status 404: no_service')
            """
        )
        let list = try await control.run("alerts", "list")
        #expect(list.output.contains("Channel slack is off") && list.output.contains("syncctl alerts test slack"))
    }

    @Test("A key is silenced for a time; an unknown one is pointed out")
    func silence() async throws {
        let control = try await control()
        let silenced = try await control.run("alerts", "silence", "job_failed:0123456789ab", "--for", "2h")
        #expect(silenced.code == 0 && silenced.output.contains("Silenced until"), "\(silenced)")
        #expect(try await control.run("alerts", "list").output.contains("silenced until"))
        let unknown = try await control.run("alerts", "silence", "job_failed:typo", "--for", "2h")
        #expect(unknown.code == 66 && unknown.errors.contains("alerts list"), "\(unknown)")
        // What names no cause and no user can be silenced before it has ever been.
        for key in ["peer:notion_writer", "job_snoozed"] {
            #expect(try await control.run("alerts", "silence", key, "--for", "2h").code == 0)
        }
        #expect(try await control.run("alerts", "silence", "job_failed:0123456789ab", "--for", "long").code == 64)
    }

    @Test("A test is really sent, and says what came back")
    func test() async throws {
        let control = try await control()
        let receiver = try ScriptedServer(statuses: [200, 500])
        defer { receiver.stop() }
        try await control.execute(
            "INSERT INTO sync_alert_channels (channel, target, disabled_at) VALUES ('slack', 'x', now())"
        )
        let environment = [
            "NOTIFICATION_SLACK_URL": receiver.url + "/services/hidden", "ALERT_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        ]
        let sent = try await control.run("alerts", "test", "slack", environment: environment)
        #expect(sent.code == 0 && sent.output.contains("status 200") && sent.output.contains("is on again"), "\(sent)")
        #expect(sent.errors.contains("ENABLE_NOTIFICATIONS"))
        #expect(receiver.bodies.first?.contains("This is a test") == true)
        let refused = try await control.run("alerts", "test", "slack", environment: environment)
        #expect(refused.code == 1 && refused.errors.contains("status 500"), "\(refused)")
        #expect(!"\(sent)\(refused)".contains("hidden"))
        let inside = try await control.run(
            "alerts",
            "test",
            "slack",
            environment: ["NOTIFICATION_SLACK_URL": "https://localhost:\(receiver.port)/hidden"]
        )
        #expect(inside.code == 1 && inside.errors.contains("ALERT_ALLOW_PRIVATE_HOSTS"), "\(inside)")
        #expect(receiver.bodies.count == 2)
        let unknown = try await control.run("alerts", "test", "pagerduty", environment: environment)
        #expect(unknown.code == 66 && unknown.errors.contains("slack"), "\(unknown)")
    }
}
