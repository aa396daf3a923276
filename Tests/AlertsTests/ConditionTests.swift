import CurlHTTP
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import Alerts

@Suite("Conditions that checks find", .migrated, .timeLimit(.minutes(2)))
struct ConditionTests {
    /// Checks again when enough time has passed that what is no longer found is over.
    private func evaluateLater(_ fixture: AlertFixture) async throws {
        try await fixture.pool.execute("UPDATE sync_alerts SET last_at = last_at - interval '1 hour'")
        try await fixture.evaluator().evaluate()
    }

    @Test("A user whose last jobs all failed, until one completes")
    func userFailing() async throws {
        var fixture = try AlertFixture()
        fixture.configuration.kindsOff = [.jobFailed]
        try await fixture.end(try await fixture.insertJob("anna"), "completed")
        try await fixture.failJob("anna")
        try await fixture.failJob("anna")
        try await fixture.end(try await fixture.insertJob("anna"), "cancelled")
        try await fixture.failJob("bob")
        try await fixture.gather()
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.openAlerts().isEmpty)
        let last = try await fixture.failJob("anna", "Notion does not accept the token")
        try await fixture.gather()
        try await fixture.evaluator().evaluate()
        try await fixture.gather()
        let alert = try await fixture.onlyAlert()
        #expect(alert.key == "user_failing:anna" && alert.count == 3 && alert.jobID == last)
        #expect(alert.error == "Notion does not accept the token")
        #expect(try await fixture.notices() == ["trigger 3"])
        // A fourth one is the same.
        try await fixture.failJob("anna")
        try await fixture.gather()
        try await fixture.evaluator().evaluate()
        try await fixture.gather()
        #expect(try await fixture.notices() == ["trigger 3"])
        try await fixture.end(try await fixture.insertJob("anna"), "completed")
        try await evaluateLater(fixture)
        #expect(try await fixture.notices() == ["trigger 3", "resolve 3"])
    }

    @Test("Users who have not been synced for too long, one alert for all of them")
    func userNotSynced() async throws {
        var fixture = try AlertFixture()
        try await fixture.pool.execute(
            """
            INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id, updated_at)
            SELECT u, '', '', 'd', timezone('utc', now()) - interval '3 days' FROM unnest(ARRAY['anna', 'bob', 'cyd']) AS u
            """
        )
        for user in ["anna", "bob"] { try await fixture.end(try await fixture.insertJob(user), "completed") }
        try await fixture.pool.execute(
            "UPDATE sync_jobs SET completed_at = completed_at - interval '2 days' WHERE user_id = 'bob'"
        )
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.openAlerts().isEmpty, "off unless a time is set")
        fixture.configuration.rules.userNotSyncedAfter = .seconds(86_400)
        let pauses = PauseList(pool: fixture.pool)
        for scope in [PauseScope.all, .peer("notion_writer")] {
            _ = try await pauses.pause(scope, for: nil, reason: "It is an operator's wish.")
            try await fixture.evaluator().evaluate()
            #expect(try await fixture.openAlerts().isEmpty)
            _ = try await pauses.resume(scope)
        }
        try await fixture.evaluator().evaluate()
        let alert = try await fixture.onlyAlert()
        #expect(alert.key == "user_not_synced" && alert.count == 2)
        #expect(alert.users == ["cyd", "bob"])
        for user in ["cyd", "bob"] { try await fixture.end(try await fixture.insertJob(user), "completed") }
        try await evaluateLater(fixture)
        #expect(try await fixture.openAlerts().isEmpty)
    }

    @Test("Unknown writes that wait for an operator", arguments: [true, false])
    func heldCreates(holds: Bool) async throws {
        var fixture = try AlertFixture()
        fixture.configuration.rules.holdsUnknownCreates = holds
        try await fixture.pool.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count, resolution)
            SELECT 'anna', n::text, CASE n WHEN 4 THEN 'update' ELSE 'create' END, md5(n::text)::uuid, '', now(),
                md5('job')::uuid, 1, CASE WHEN n <> 5 THEN now() END, 1,
                CASE n WHEN 2 THEN 'retry' WHEN 3 THEN 'hold' END
            FROM generate_series(1, 5) AS n
            """
        )
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.onlyAlert().count == (holds ? 3 : 1), "updates among them")
        try await fixture.pool.execute("DELETE FROM sync_intents")
        try await evaluateLater(fixture)
        #expect(try await fixture.openAlerts().isEmpty)
    }

    @Test("A job that completed while most of its notes failed")
    func failingNotes() async throws {
        let fixture = try AlertFixture()
        for (user, failed) in [("anna", 6), ("bob", 5), ("cyd", 0)] {
            let job = try await fixture.insertJob(user)
            try await fixture.end(job, "completed")
            try await fixture.pool.execute(
                "UPDATE sync_jobs SET total_notes = 10, failed_notes = \(failed) WHERE job_id = \(job)"
            )
        }
        try await fixture.evaluator().evaluate()
        let alert = try await fixture.onlyAlert()
        #expect(alert.key == "notes_failing" && alert.count == 1 && alert.users == ["anna"])
        #expect(alert.error == "6 of 10 notes failed.")
        let more = try await fixture.insertJob("bob")
        try await fixture.end(more, "completed")
        try await fixture.pool.execute(
            "UPDATE sync_jobs SET total_notes = 1, failed_notes = 1 WHERE job_id = \(more)"
        )
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.onlyAlert().error == "7 of 11 notes failed.", "of both users")
        try await fixture.end(try await fixture.insertJob("bob"), "completed")
        try await fixture.end(try await fixture.insertJob("anna"), "completed")
        try await evaluateLater(fixture)
        #expect(try await fixture.openAlerts().isEmpty)
    }

    @Test("A peer that is away for too long, and comes back")
    func peerDown() async throws {
        var fixture = try AlertFixture()
        let peer = try ScriptedServer([.status(200), .status(500), .reset])
        defer { peer.stop() }
        fixture.configuration.rules.peers = [
            AlertRules.Peer(name: "keep_extractor", url: peer.url, silentAfter: .seconds(1800)),
            AlertRules.Peer(name: "notion_writer", url: "http://127.0.0.1:1", silentAfter: .seconds(180)),
        ]
        fixture.configuration.rules.peerDownAfter = .seconds(300)
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.openAlerts().isEmpty)
        try await fixture.evaluator().evaluate()
        try await fixture.pool.execute("UPDATE sync_peer_health SET down_since = down_since - interval '301 seconds'")
        try await fixture.evaluator().evaluate()
        let keys = try await fixture.openAlerts().map(\.key).sorted()
        #expect(keys == ["peer:keep_extractor", "peer:notion_writer"])
        #expect(peer.requests.allSatisfy { $0.line == "GET /health HTTP/1.1" })
        try await evaluateLater(fixture)
        #expect(try await fixture.onlyAlert().key == "peer:notion_writer")
    }

    @Test("An open breaker takes the place of a peer that is down")
    func breakerOpen() async throws {
        var fixture = try AlertFixture()
        fixture.configuration.rules.peers = [
            AlertRules.Peer(name: "notion_writer", url: "http://127.0.0.1:1", silentAfter: .seconds(180))
        ]
        fixture.configuration.rules.peerDownAfter = .seconds(300)
        try await fixture.evaluator().evaluate()
        try await fixture.pool.execute("UPDATE sync_peer_health SET down_since = down_since - interval '301 seconds'")
        try await fixture.pool.execute(
            """
            INSERT INTO sync_gates (gate, opened_at, opened_reason) VALUES ('notion_writer', now() - interval '301 seconds', 'It is down.'),
                ('keep_extractor', now() - interval '10 seconds', 'It has just gone.')
            """
        )
        try await fixture.evaluator().evaluate()
        let alert = try await fixture.onlyAlert()
        #expect(alert.key == "peer:notion_writer" && alert.kind == "breaker_open" && alert.error == "It is down.")
        try await fixture.pool.execute("UPDATE sync_gates SET opened_at = NULL")
        try await evaluateLater(fixture)
        #expect(try await fixture.onlyAlert().kind == "peer_down", "the probes of its health go on")
    }

    /// However often an operator opens the gate, the breaker opens again, or the checks find the one before the other.
    @Test("Of a peer that is ill there is one alert at a time, and no word that it is well")
    func oneAlertOfAPeer() async throws {
        var fixture = try AlertFixture()
        fixture.configuration.rules.peers = [
            AlertRules.Peer(name: "notion_writer", url: "http://127.0.0.1:1", silentAfter: .seconds(180))
        ]
        fixture.configuration.rules.peerDownAfter = .seconds(300)
        func kinds() async throws -> [String] { try await fixture.openAlerts().map(\.kind) }
        try await fixture.pool.execute(
            """
            INSERT INTO sync_gates (gate, opened_at, opened_reason)
            VALUES ('notion_writer', now() - interval '301 seconds', 'It is down.')
            """
        )
        try await fixture.evaluator().evaluate()
        #expect(try await kinds() == ["breaker_open"])
        for _ in 1...2 {
            // As syncctl gates open does, long after the outage has begun.
            try await fixture.pool.execute("UPDATE sync_gates SET opened_at = NULL")
            try await fixture.pool.execute("UPDATE sync_peer_health SET down_since = now() - interval '400 seconds'")
            try await fixture.evaluator().evaluate()
            #expect(try await kinds() == ["peer_down"])
            // The next call opens it again.
            try await fixture.pool.execute("UPDATE sync_gates SET opened_at = now()")
            try await evaluateLater(fixture)
            #expect(try await kinds() == ["breaker_open"])
        }
        #expect(try await fixture.notices().allSatisfy { $0.hasPrefix("trigger") })
        #expect(try await fixture.count("SELECT count(*) FROM sync_alerts") == 1)
        try await fixture.pool.execute("UPDATE sync_gates SET opened_at = NULL")
        try await fixture.pool.execute("DELETE FROM sync_peer_health")
        fixture.configuration.rules.peers = []
        try await evaluateLater(fixture)
        #expect(try await kinds().isEmpty)
    }

    @Test("A peer that takes connections and is silent is given as long as its slowest call")
    func silentPeer() async throws {
        var fixture = try AlertFixture()
        fixture.configuration.rules.peers = [
            AlertRules.Peer(name: "keep_extractor", url: "http://127.0.0.1:1", silentAfter: .seconds(1800))
        ]
        let record = { (silence: Bool, ago: Double) in
            let fault = PeerProbe.Fault(reason: "no answer", isSilence: silence)
            try await fixture.pool.execute(.recordHealth(of: "keep_extractor", fault: nil))
            try await fixture.pool.execute(.recordHealth(of: "keep_extractor", fault: fault))
            try await fixture.pool.execute(
                "UPDATE sync_peer_health SET down_since = now() - make_interval(secs => \(ago))"
            )
            return try await fixture.pool.query(
                .findDownPeers(fixture.configuration.rules.peers, after: .seconds(300), besidesBreakers: true)
            ).count
        }
        #expect(try await record(true, 1700) == 0)
        #expect(try await record(true, 1801) == 1)
        #expect(try await record(false, 301) == 1)
        #expect(try await record(false, 299) == 0)
    }

    @Test("A silent peer is told from one that is not there")
    func probe() async throws {
        let server = try ScriptedServer([.hang])
        defer { server.stop() }
        let probe = PeerProbe(http: .init(), timeout: .milliseconds(200))
        let silent = await probe.fault(of: .init(name: "p", url: server.url, silentAfter: .zero))
        #expect(silent?.isSilence == true)
        let away = await probe.fault(of: .init(name: "p", url: "http://127.0.0.1:1", silentAfter: .zero))
        #expect(away?.isSilence == false)
        #expect(await probe.fault(of: .init(name: "p", url: server.url, silentAfter: .zero)) == nil)
    }

    @Test("Tables that are not current, for longer than a worker takes to be started again")
    func schema() async throws {
        let fixture = try AlertFixture()
        try await fixture.evaluator(schemaFault: { "0007 is pending: run syncctl migrate" }).evaluate()
        #expect(try await fixture.onlyAlert().key == "schema_not_current")
        try await fixture.pool.execute("UPDATE sync_alerts SET last_at = last_at - interval '9 minutes'")
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.openAlerts().count == 1)
        try await evaluateLater(fixture)
        #expect(try await fixture.openAlerts().isEmpty)
    }

    @Test("An installation key that is missing, at once and until it is there again")
    func missingKey() async throws {
        let fixture = try AlertFixture()
        try await fixture.evaluator(keyFault: { "It is missing." }).evaluate()
        let alert = try await fixture.onlyAlert()
        #expect(alert.key == "installation_key_missing" && alert.error == "It is missing.")
        try await evaluateLater(fixture)
        #expect(try await fixture.openAlerts().isEmpty)
    }

    @Test("A kind that is switched off is not looked for, and what was open of it is over")
    func kindsOff() async throws {
        var fixture = try AlertFixture()
        try await fixture.evaluator(schemaFault: { "pending" }).evaluate()
        fixture.configuration.kindsOff = [.schemaNotCurrent]
        try await fixture.pool.execute("UPDATE sync_alerts SET last_at = last_at - interval '1 hour'")
        try await fixture.evaluator(schemaFault: { "pending" }).evaluate()
        #expect(try await fixture.openAlerts().isEmpty)
    }

    @Test("One worker at a time has the turn")
    func turns() async throws {
        let fixture = try AlertFixture()
        let evaluator = fixture.evaluator()
        let turns = try await withThrowingTaskGroup(of: Bool.self) { tasks in
            for _ in 0..<8 { tasks.addTask { try await evaluator.isOurTurn("conditions", .seconds(60)) } }
            return try await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(turns == 1)
    }

    @Test("Jobs that are put off again and again, until they run to their end")
    func jobSnoozed() async throws {
        let fixture = try AlertFixture()
        let job = try await fixture.insertJob("anna")
        try await fixture.insertJob("bob")
        try await fixture.pool.execute(
            "UPDATE sync_queue SET snoozed_since = now() - interval '5 hours' WHERE user_id = 'anna'"
        )
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.openAlerts().isEmpty)
        try await fixture.pool.execute(
            "UPDATE sync_queue SET snoozed_since = now() - interval '7 hours' WHERE user_id = 'anna'"
        )
        let pauses = PauseList(pool: fixture.pool)
        for scope in [PauseScope.user(UserID("anna")), .all] {
            _ = try await pauses.pause(scope, for: nil, reason: "It is an operator's wish.")
            try await fixture.evaluator().evaluate()
            #expect(try await fixture.openAlerts().isEmpty)
            _ = try await pauses.resume(scope)
        }
        // So is a gate that an operator has closed, and none that a worker has.
        try await fixture.pool.execute("UPDATE sync_queue SET gate = 'notion_writer' WHERE user_id = 'anna'")
        try await fixture.pool.execute(
            """
            INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
            VALUES ('notion_writer', now(), now() + interval '7 days', 'planned move', current_user)
            """
        )
        try await fixture.evaluator().evaluate()
        #expect(try await fixture.openAlerts().isEmpty)
        try await fixture.pool.execute("UPDATE sync_gates SET closed_by = 'worker-1'")
        try await fixture.evaluator().evaluate()
        try await fixture.gather()
        let alert = try await fixture.onlyAlert()
        #expect(alert.key == "job_snoozed" && alert.count == 1)
        #expect(try await fixture.notices() == ["trigger 1"])
        try await fixture.end(job, "completed")
        try await evaluateLater(fixture)
        #expect(try await fixture.notices() == ["trigger 1", "resolve 1"])
    }
}
