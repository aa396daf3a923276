import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import Alerts

@Suite("Not a flood", .migrated, .timeLimit(.minutes(2)))
struct FloodTests {
    @Test("More than a channel may have in a minute is held back, and one message says how many")
    func cap() async throws {
        var fixture = try AlertFixture()
        let server = try ScriptedServer()
        defer { server.stop() }
        fixture.configuration.channels = [AlertFixture.webhook(server)]
        fixture.configuration.channelLimit = 3
        for number in 0..<20 {
            try await fixture.failJob("u", "fault " + String(repeating: "x", count: number))
        }
        try await fixture.gather()
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        #expect(server.requests.count == 3)
        // More of them add to the same message.
        for number in 20..<25 {
            try await fixture.failJob("u", "fault " + String(repeating: "x", count: number))
        }
        try await fixture.gather()
        for lane in fixture.lanes(worker: "w2") { try await lane.deliverOnce() }
        #expect(server.requests.count == 3)
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_deliveries WHERE state = 'held_back'") == 22)
        // The minute passes.
        try await fixture.pool.execute(
            """
            WITH channels AS (UPDATE sync_alert_channels SET window_started_at = window_started_at - interval '1 minute')
            UPDATE sync_alert_notices SET run_at = run_at - interval '1 minute'
            """
        )
        try await fixture.deliverAll()
        #expect(server.requests.count == 4)
        let word = try #require(try server.requests.last?.json())
        #expect(word["kind"] as? String == "held_back")
        #expect(word["count"] as? Int == 22)
        #expect((word["text"] as? String)?.contains("22 alerts were held back") == true)
        #expect(try await fixture.openAlerts().count == 25)
        // Nothing of it is left to be told.
        try await fixture.deliverAll()
        #expect(server.requests.count == 4)
    }

    @Test("However many causes a role makes up, some hundred alerts are open, and one counts the rest")
    func causes() async throws {
        let fixture = try AlertFixture()
        try await fixture.pool.execute(
            """
            INSERT INTO sync_alert_events (kind, job_id, user_id, error)
            SELECT 'job_failed', gen_random_uuid(), 'mallory', 'made up ' || translate(n::text, '0123456789', 'abcdefghij') FROM generate_series(1, 5000) AS n
            """
        )
        try await fixture.failJob("anna", "the same cause")
        try await fixture.gather()
        #expect(try await fixture.count("SELECT count(*) FROM sync_alerts") == 201)
        #expect(try await fixture.count("SELECT sum(count)::bigint FROM sync_alerts") == 5001)
        let rest: PostgresQuery = "SELECT count FROM sync_alerts WHERE key = 'job_failed::other'"
        #expect(try await fixture.count(rest) == 4801)
        #expect(try await fixture.notices().count == 201)
        // What has an alert is counted there.
        try await fixture.failJob("mallory", "made up b")
        try await fixture.gather()
        #expect(try await fixture.count(rest) == 4801)
        let server = try ScriptedServer()
        defer { server.stop() }
        var copy = fixture
        copy.configuration.channels = [AlertFixture.webhook(server)]
        copy.configuration.channelLimit = 1000
        try await copy.deliverAll()
        let texts = try server.requests.compactMap { try $0.json()["text"] as? String }
        #expect(
            texts.contains {
                $0.hasPrefix("4801 more sync jobs failed for causes beside those that have an alert each")
            }
        )
    }

    @Test("Critical messages have room of their own, go first, and what is held back is named by its kinds")
    func severities() async throws {
        var fixture = try AlertFixture()
        let server = try ScriptedServer()
        defer { server.stop() }
        fixture.configuration.channels = [AlertFixture.webhook(server)]
        for number in 0..<30 {
            try await fixture.failJob("u", "fault " + String(repeating: "x", count: number))
        }
        try await fixture.gather()
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        #expect(server.requests.count == 10)
        for peer in ["keep_extractor", "notion_writer"] {
            try await fixture.pool.execute(
                """
                WITH alert AS (
                    INSERT INTO sync_alerts (key, kind, count, first_at, last_at, notified_at, notified_count)
                    VALUES ('peer_down:' || \(peer), 'peer_down', 1, now(), now(), now(), 1) RETURNING id
                )
                INSERT INTO sync_alert_notices (event, alert_id, count) SELECT 'trigger', id, 1 FROM alert
                """
            )
        }
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        let kinds = try server.requests.dropFirst(10).map { try $0.json()["kind"] as? String }
        #expect(kinds == ["peer_down", "peer_down"])
        #expect(try await fixture.count("SELECT count(*) FROM sync_alert_deliveries WHERE state = 'held_back'") == 20)
        try await fixture.pool.execute(
            """
            WITH channels AS (UPDATE sync_alert_channels SET window_started_at = window_started_at - interval '1 minute')
            UPDATE sync_alert_notices SET run_at = run_at - interval '1 minute'
            """
        )
        try await fixture.deliverAll()
        let word = try #require(try server.requests.last?.json()["text"] as? String)
        #expect(word.contains("20 alerts were held back (job_failed)"), "\(word)")
    }

    @Test("A resolution follows what was told, in order, and only where it was told")
    func resolutions() async throws {
        var fixture = try AlertFixture()
        let (slack, pager, webhook) = (try ScriptedServer(), try ScriptedServer(), try ScriptedServer())
        defer { for server in [slack, pager, webhook] { server.stop() } }
        fixture.configuration.channels = [
            AlertFixture.slack(slack), AlertFixture.pagerDuty(pager), AlertFixture.webhook(webhook),
        ]
        slack.answer([.status(400)])
        try await fixture.failJob("anna")
        try await fixture.gather()
        try await fixture.deliverAll()
        try await fixture.age(by: 3601)
        try await fixture.gather()
        try await fixture.deliverAll()
        #expect(slack.requests.count == 1, "what did not arrive is not resolved")
        #expect(webhook.requests.count == 1)
        #expect(try pager.requests.map { try $0.json()["event_action"] as? String } == ["trigger", "resolve"])
        let keys = try pager.requests.map { try $0.json()["dedup_key"] as? String }
        #expect(keys[0] == keys[1] && keys[0] != nil)
    }

    @Test("While a first message is still tried, its resolution waits")
    func order() async throws {
        var fixture = try AlertFixture()
        let pager = try ScriptedServer(statuses: [500])
        defer { pager.stop() }
        fixture.configuration.channels = [AlertFixture.pagerDuty(pager)]
        try await fixture.failJob("anna")
        try await fixture.gather()
        fixture.configuration.backoff.base = .seconds(600)
        fixture.configuration.backoff.cap = .seconds(600)
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        try await fixture.pool.execute("UPDATE sync_alert_deliveries SET run_at = now() + interval '1 hour'")
        try await fixture.age(by: 3601)
        try await fixture.gather()
        for lane in fixture.lanes() { try await lane.deliverOnce() }
        #expect(pager.requests.count == 1)
        try await fixture.pool.execute("UPDATE sync_alert_deliveries SET run_at = now()")
        try await fixture.deliverAll()
        #expect(
            try pager.requests.map { try $0.json()["event_action"] as? String } == ["trigger", "trigger", "resolve"]
        )
    }
}
