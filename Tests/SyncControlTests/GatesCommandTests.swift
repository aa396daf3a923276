import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@Suite("syncctl gates", .migrated)
struct GatesCommandTests {
    private struct Gate: Decodable {
        var gate: String
        var isClosed: Bool
        var closedBy: String?
        var closedSeconds: Int
        var permitsPerSecond: Double?
        var outOfOrderSince: String?
    }

    private struct Answer: Decodable {
        struct Pause: Decodable {
            var scope: String
        }

        var gates: [Gate]
        var pauses: [Pause]
        var pausedUsers: Int
    }

    @Test("A gate is closed, seen and opened by hand")
    func life() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("gates").errors.contains("Every gate is open"))
        let closed = try await control.run(
            "gates",
            "close",
            "notion_writer",
            "--for",
            "30m",
            "--reason",
            "It is being moved."
        )
        #expect(closed.code == 0 && closed.output.contains("Closed until"), "\(closed)")
        let list = try await control.run("gates")
        #expect(list.output.contains("notion_writer") && list.output.contains("in 30 min"), "\(list)")
        #expect(list.output.contains(", closed by postgres: It is being moved."), "\(list)")
        let gates = try await control.run("gates", "list", "--json").json(Answer.self).gates
        #expect(gates.map(\.gate) == ["notion_writer"] && gates.allSatisfy(\.isClosed))
        #expect(gates.allSatisfy { (1790...1800).contains($0.closedSeconds) && $0.permitsPerSecond == nil })
        let opened = try await control.run("gates", "open", "notion_writer")
        #expect(opened.code == 0 && opened.output.contains("Opened; it was closed for 30 min more."), "\(opened)")
        #expect(try await control.run("gates", "open", "notion_writer").output.contains("open already"))
        #expect(try await control.run("gates", "list").output.contains("open"))
    }

    @Test("The gate of a peer is there before anything is on record", arguments: ["keep_extractor", "notion_writer"])
    func fresh(gate: String) async throws {
        let control = try ControlFixture()
        let opened = try await control.run("gates", "open", gate)
        #expect(opened.code == 0 && opened.output == "It was open already.", "\(opened)")
        #expect(try await control.run("gates", "open", gate, "--json").output.contains(#""due_jobs":0"#))
        #expect(try await control.run("gates", "close", gate, "--for", "30m", "--reason", "r").code == 0)
        let unknown = try await control.run("gates", "open", "\(gate)/account/ab12")
        #expect(unknown.code == 66 && unknown.errors.contains("If there is one, it is open."), "\(unknown)")
    }

    @Test("A slowed pace is shown, and a gate that nothing has passed for long is not")
    func pace() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, rate, burst, slowed_rate, slowed_at, used_at)
            VALUES ('notion_writer/token/ab12', 3, 3, 1.5, clock_timestamp(), now()),
                ('notion_writer/token/cd34', 3, 3, NULL, NULL, now() - interval '1 hour')
            """
        )
        let list = try await control.run("gates")
        #expect(list.output.contains("slowed") && list.output.contains("1.5 of 3/s"), "\(list)")
        #expect(!list.output.contains("cd34"), "\(list)")
        #expect(try await control.run("gates", "list", "--all").output.contains("cd34"))
    }

    @Test("A gate that is closed is closed for the longer time, with its reason")
    func longer() async throws {
        let control = try ControlFixture()
        func close(_ time: String, _ reason: String) async throws -> String {
            let answer = try await control.run("gates", "close", "notion_writer", "--for", time, "--reason", reason)
            #expect(answer.code == 0, "\(answer)")
            return answer.output
        }
        #expect(try await close("2h", "Moved.").hasSuffix("UTC."))
        let shorter = try await close("30m", "Short.")
        #expect(
            shorter.hasPrefix("It stays closed until ")
                && shorter.hasSuffix(", which is longer. Closed by postgres: Moved."),
            "\(shorter)"
        )
        #expect(try await control.run("gates").output.contains("Moved."))
        let longer = try await close("3h", "Long.")
        #expect(
            longer.hasPrefix("Closed until ") && longer.contains("It was closed already, until ")
                && longer.hasSuffix(", by postgres: Moved."),
            "\(longer)"
        )
        let list = try await control.run("gates")
        #expect(list.output.contains("in 3 h") && list.output.contains("Long."), "\(list)")
        // One that has opened by itself was not closed.
        try await control.execute("UPDATE sync_gates SET closed_until = clock_timestamp()")
        #expect(try await !close("30m", "Again.").contains("already"))
    }

    @Test("A peer that is out of order is closed, as programs read it")
    func broken() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, opened_at, cooldown, probe_at, opened_reason)
            VALUES ('notion_writer', clock_timestamp(), 5, clock_timestamp() + interval '5 s', 'Nothing listens.')
            """
        )
        let gates = try await control.run("gates", "--json").json(Answer.self).gates
        #expect(gates.map(\.isClosed) == [true])
        let list = try await control.run("gates")
        #expect(list.output.contains("out of order  by a probe in "), "\(list)")
        #expect(list.output.contains("UTC, out of order, as a worker found: Nothing listens."), "\(list)")
        // Its breaker was closed for a moment, and nothing has succeeded meanwhile.
        try await control.execute("UPDATE sync_gates SET broken_since = '2026-01-02 03:04:05Z'")
        let since = "since 2026-01-02 03:04:05 UTC"
        #expect(try await control.run("gates").output.contains("\(since), out of order"))
        let again = try await control.run("gates", "--json").json(Answer.self).gates
        #expect(again.map(\.outOfOrderSince) == ["2026-01-02T03:04:05.000Z"])
        let job = try await control.insertJob()
        #expect(try await control.run("jobs", "\(job)").output.contains("out of order \(since)"))
        // It is on trial: nothing is said of an outage.
        try await control.execute("UPDATE sync_gates SET opened_at = NULL")
        #expect(try await !control.run("gates").output.contains("2026-01-02"))
    }

    @Test("What is paused stands in the answer for programs too")
    func pauses() async throws {
        let control = try ControlFixture()
        let none: Answer = try await control.run("gates", "--json").json()
        #expect(none.gates.isEmpty && none.pauses.isEmpty && none.pausedUsers == 0)
        try await control.execute(
            "INSERT INTO sync_pauses (scope, key, reason) VALUES ('all', '', 'r'), ('user', 'ada', 'r'), ('user', 'bob', 'r')"
        )
        let some: Answer = try await control.run("gates", "--json").json()
        #expect(some.pauses.map(\.scope) == ["all"] && some.pausedUsers == 2)
    }

    @Test("A list that ends at its limit says so, and cuts no name on a terminal")
    func limit() async throws {
        let control = try ControlFixture()
        let name = "keep_extractor/account/0123456789abcde"
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, rate, burst, slowed_rate, slowed_at)
            SELECT \(name) || n, 3, 3, 1.5, clock_timestamp() FROM generate_series(1, 3) AS n
            """
        )
        let all = try await control.run("gates", "--limit", "3")
        #expect(all.output.split(separator: "\n").count == 4 && all.errors.isEmpty, "\(all)")
        let some = try await control.run("gates", "--limit", "2")
        #expect(some.output.split(separator: "\n").count == 3, "\(some)")
        #expect(some.errors.contains("These are the first 2; there are more."), "\(some)")
        let gates = try await control.run("gates", "--limit", "2", "--json").json(Answer.self).gates
        #expect(gates.count == 2)
        #expect(try await control.run("gates", "--limit", "0").code == 64)
        let terminal = try PseudoTerminal(columns: 80)
        _ = try await terminal.run(control, ["gates"]).waitForExit()
        try await terminal.waitFor("\(name)3")
        #expect(terminal.screen.split(whereSeparator: \.isNewline).allSatisfy { $0.count <= 80 }, "\(terminal.screen)")
    }

    @Test("What names no gate is refused", arguments: ["notion", "notion_writer/token", "notion_writer/user/x"])
    func names(_ name: String) async throws {
        let control = try ControlFixture()
        let answer = try await control.run("gates", "open", name)
        #expect(answer.code == 64 && answer.errors.contains("is no gate"), "\(answer)")
        let unknown = try await control.run("gates", "open", "notion_writer/token/none")
        #expect(unknown.code == 66, "\(unknown)")
    }

    @Test("What can't be closed, for so long or without a word, is not")
    func refusals() async throws {
        let control = try ControlFixture()
        func close(_ gate: String, _ time: String = "5m", _ reason: String = "moved") async throws -> ControlResult {
            try await control.run("gates", "close", gate, "--for", time, "--reason", reason)
        }
        let unknown = try await close("keep_extractor/account/anna@example.org")
        #expect(unknown.code == 66 && unknown.errors.contains("nothing is known"), "\(unknown)")
        #expect(try await control.database.pool.query("SELECT FROM sync_gates").isEmpty)
        for refused in [try await close("notion_writer", "1000d"), try await close("notion_writer", "5m", " ")] {
            #expect(refused.code == 64, "\(refused)")
        }
    }

    @Test("A gate that is opened makes the jobs due that were snoozed for it, and no others")
    func release() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("gates", "close", "notion_writer", "--for", "7d", "--reason", "typo").code == 0)
        try await control.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            SELECT gen_random_uuid(), user_id, 'queued', now() + interval '7 days' FROM unnest(ARRAY['ada', 'bob', 'carl']) AS user_id
            """
        )
        try await control.execute(
            """
            UPDATE sync_queue SET snoozed_since = now(),
                gate = CASE user_id WHEN 'bob' THEN 'keep_extractor' ELSE 'notion_writer' END
            WHERE user_id <> 'carl'
            """
        )
        try await control.execute("UPDATE sync_jobs SET last_error = 'The gate notion_writer was closed: typo.'")
        let opened = try await control.run("gates", "open", "notion_writer")
        #expect(opened.code == 0 && opened.output.contains("1 job that waited for it is due."), "\(opened)")
        let due = try await control.database.pool.query(
            "SELECT user_id FROM sync_queue WHERE run_at <= clock_timestamp()"
        )
        #expect(try due.map { try $0.decode("user_id", as: String.self) } == ["ada"])
        let job = try #require(try await control.jobs.jobs(user: UserID("ada"), limit: 1).first)
        #expect(
            job.lastError
                == "The gate notion_writer was closed: typo. The gate has been opened since, by postgres."
        )
        #expect(try await control.database.pool.query("SELECT FROM sync_queue WHERE gate = 'notion_writer'").isEmpty)
    }
}
