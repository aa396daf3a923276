import Foundation
import Postgres
import TestSupport
import Testing

@testable import SyncControl

/// No line is longer than the terminal is wide, of what goes to stderr neither.
@Suite("Lists on a terminal of 80 columns", .migrated)
struct NarrowTerminalTests {
    private func check(_ control: ControlFixture, _ arguments: [String], until text: String) async throws {
        let terminal = try PseudoTerminal(columns: 80)
        #expect(try await terminal.run(control, arguments).waitForExit() == .code(0))
        try await terminal.waitFor(text)
        for line in terminal.screen.split(separator: "\r\n") where String(line).displayWidth > 80 {
            Issue.record("\(line.count) columns: \(line)")
        }
    }

    @Test func unknownWrites() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count, notion_database_id, reason)
            VALUES ('anna.with.a.long.name@example.org', '1892f3a4b5c.6d7e8f90a1b2c3d4', 'create', gen_random_uuid(), '1:a',
                now(), gen_random_uuid(), 1, now(), 1, '598337872cf94fdf8782e53db20768a5', 'Nothing was heard of it.')
            """
        )
        try await check(control, ["unknown", "list"], until: "recorded it.")
    }

    @Test func gates() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by, rate, slowed_rate, slowed_at)
            VALUES ('keep_extractor/account/0123456789abcdef', now(), now() + interval '1 hour',
                'Google asks for a pause of the account, and so do we for as long as that takes.', 'ops', 3, 1.5, now())
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_pauses (scope, key, reason)
            VALUES ('all', '', 'Maintenance of the database, which takes longer than we thought.'), ('user', 'anna', 'r')
            """
        )
        try await check(control, ["gates"], until: "syncctl pauses")
    }

    @Test func alerts() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_alerts (key, kind, count, user_id, users, error, first_at, last_at)
            VALUES ('peer_down:notion_writer', 'peer_down', 10000, 'anna', '{anna,bob}', 'no token', now(), now())
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_alert_channels (channel, target, disabled_at, disabled_reason)
            VALUES ('slack', 'x', now(), 'The address of the webhook is gone, as its answer says: status 410.')
            """
        )
        try await check(control, ["alerts", "list"], until: "syncctl alerts test slack")
        #expect(try await control.run("alerts", "list").output.contains("status 410. Fix it"))
    }

    @Test func whyAndUser() async throws {
        let control = try ControlFixture()
        // With a longer name the command that stores credentials is longer than the line, and stays whole.
        let user = "anna.with.a.name@example.org"
        let job = try await control.insertJob(user: user)
        let run = try await control.run(
            "pause",
            "--user",
            user,
            "--reason",
            "She has asked for it, as she moves her notes to another account meanwhile."
        )
        #expect(run.code == 0, "\(run)")
        try await check(control, ["why", "\(job)"], until: "command  sync-worker")
        try await check(control, ["user", user], until: "held by")
    }
}
