import Foundation
import Postgres
import TestSupport
import Testing

@Suite("syncctl unknown list, retry, settle", .migrated)
struct UnknownWriteTests {
    private static let page = "59833787-2cf9-4fdf-8782-e53db20768a5"

    /// A user with an unknown create, an unknown update, and a create that is under way.
    private func control() async throws -> ControlFixture {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, lease)
            VALUES ('00000000-0000-4000-8000-000000000002', 'anna', 'running', 2)
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at)
            VALUES ('00000000-0000-4000-8000-000000000002', 'anna', 0, now(), 2, now() + interval '1 hour')
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, notion_page_id, idempotency_key, content_hash,
                keep_modified_at, job_id, lease, unknown_at, unknown_count, reason, open_until, created_at)
            VALUES ('anna', 'made', 'create', NULL, gen_random_uuid(), '1:a', '2026-01-02T03:04:05Z', gen_random_uuid(), 1,
                    now(), 2, 'no answer', NULL, now() - interval '2 minutes'),
                ('anna', 'changed', 'update', 'page-7', gen_random_uuid(), '1:b', '2026-01-02T03:04:05Z', gen_random_uuid(),
                    1, now(), 1, 'reset', NULL, now() - interval '1 minute'),
                ('anna', 'under way', 'create', NULL, gen_random_uuid(), '1:c', now(),
                    '00000000-0000-4000-8000-000000000002', 2, NULL, 0, NULL, now() + interval '1 hour', now())
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, job_id)
            VALUES ('anna', 'made', 'unknownCreate', 'x', gen_random_uuid())
            """
        )
        return control
    }

    private func count(_ control: ControlFixture, _ query: PostgresQuery) async throws -> Int {
        try await control.database.pool.query(query).first?.decode(at: 0) ?? -1
    }

    @Test("What is unknown is listed, what is under way is not")
    func list() async throws {
        let control = try await control()
        let list = try await control.run("unknown", "list")
        #expect(list.code == 0)
        #expect(list.output.contains("made") && list.output.contains("changed") && list.output.contains("no answer"))
        #expect(!list.output.contains("under way"))
        struct Write: Decodable {
            var keepNoteId: String
            var operation: String
            var count: Int
            var notionPageId: String?
        }
        let writes: [Write] = try await control.run("unknown", "list", "--user", "anna", "--json").json()
        #expect(writes.map(\.keepNoteId) == ["made", "changed"])
        #expect(writes.map(\.count) == [2, 1])
        #expect(writes.map(\.notionPageId) == [nil, "page-7"])
        _ = try await control.insertJob(user: "bob")
        let none = try await control.run("unknown", "list", "--user", "bob").errors
        #expect(none.contains("No write of unknown outcome of user bob is on record. None is under way."), "\(none)")
    }

    @Test("Where nothing is known to be unknown, it is said how much is under way")
    func underWay() async throws {
        let control = try await control()
        try await control.execute("DELETE FROM sync_intents WHERE keep_note_id <> 'under way'")
        let open = try await control.run("unknown", "list").errors
        #expect(open.contains("No write of unknown outcome is on record. 1 is under way;"), "\(open)")
        // Sent again: what became of the first is not known.
        try await control.execute("UPDATE sync_intents SET unknown_count = 1")
        let again = try await control.run("unknown", "list")
        #expect(again.output.contains("under way until"), "\(again)")
    }

    @Test("The database is no page, though its address is what one has before one's eyes")
    func databaseForPage() async throws {
        let control = try await control()
        let database = String(repeating: "1f", count: 16)
        try await control.execute("UPDATE sync_intents SET notion_database_id = \(database)")
        for page in [database, "https://www.notion.so/ws/\(database)?v=\(String(repeating: "2e", count: 16))"] {
            let refused = try await control.run("unknown", "settle", "anna", "made", "--written", "--page", page)
            #expect(refused.code == 64 && refused.errors.contains("is the Notion database"), "\(refused)")
        }
        let intents = try await control.database.pool.query("SELECT FROM sync_intents WHERE keep_note_id = 'made'")
        #expect(intents.count == 1)
    }

    @Test("What becomes of a write by itself is said, by the workers' settings or by what a worker has recorded")
    func next() async throws {
        let control = try await control()
        func next(_ changes: [String: String] = [:]) async throws -> [String] {
            struct Write: Decodable {
                var next: String
            }
            let writes: [Write] = try await control.run("unknown", "list", "--json", environment: changes).json()
            return writes.map(\.next)
        }
        #expect(try await next() == ["held", "sent_again"], "two outcomes are the limit")
        #expect(try await next(["SYNC_UNKNOWN_LIMIT": "3"]) == ["sent_again", "sent_again"])
        #expect(try await next(["SYNC_UNKNOWN_CREATES": "hold"]) == ["held", "held"])
        let list = try await control.run("unknown", "list").output
        #expect(list.contains("held: look at Notion, then unknown settle or retry"), "\(list)")
        #expect(list.contains("sent again by a next sync, once another call has succeeded"), "\(list)")
        let whose = try await control.run("unknown", "list", environment: ["SYNC_UNKNOWN_LIMIT": "3"]).errors
        #expect(whose.contains("SYNC_UNKNOWN_CREATES=retry and SYNC_UNKNOWN_LIMIT=3 of this command"), "\(whose)")
        // What a worker has recorded counts, whatever the settings are here.
        try await control.execute("UPDATE sync_failed_notes SET code = 'held' WHERE keep_note_id = 'made'")
        #expect(try await next(["SYNC_UNKNOWN_LIMIT": "3"]) == ["held", "sent_again"])
        #expect(try await control.run("unknown", "retry", "anna", "made").code == 0)
        #expect(try await next() == ["sent_again", "sent_again"], "an operator's word is over the policy")
        try await control.execute("UPDATE sync_intents SET resolution = 'hold' WHERE keep_note_id = 'changed'")
        #expect(try await next() == ["sent_again", "held"])
        let certain = try await control.run("unknown", "list").errors
        #expect(certain.isEmpty, "all is recorded: \(certain)")
        // A worker that has lost its job still hears out what it has sent.
        try await control.execute(
            "UPDATE sync_intents SET open_until = now() + interval '1 hour' WHERE keep_note_id = 'changed'"
        )
        #expect(try await next() == ["sent_again", "under_way"])
        #expect(try await control.run("unknown", "list").output.contains("under way until "))
        let settled = try await control.run("unknown", "settle", "anna", "changed", "--written")
        #expect(settled.code == 1 && settled.errors.contains("under way until"), "\(settled)")
        #expect(try await control.run("unknown", "list", environment: ["SYNC_UNKNOWN_LIMIT": "many"]).code == 78)
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at) VALUES ('anna', 'made', 'p', now())
            """
        )
        #expect(try await next() == ["superseded", "under_way"])
    }

    @Test("Until when a write waits that was sent in vain to find out whether the writer is well")
    func waits() async throws {
        let control = try await control()
        func wait() async throws -> String? {
            struct Write: Decodable {
                var keepNoteId: String
                var waitsUntil: String?
            }
            let writes: [Write] = try await control.run("unknown", "list", "--json").json()
            return writes.first { $0.keepNoteId == "changed" }?.waitsUntil
        }
        #expect(try await wait() == nil, "the next sync may send it")
        try await control.execute(
            """
            UPDATE sync_intents SET was_trial = true, unknown_at = date_trunc('day', now()) + interval '2 days'
            WHERE keep_note_id = 'changed'
            """
        )
        #expect(try await wait() != nil, "whatever the clock was")
        try await control.execute("UPDATE sync_intents SET unknown_at = now() - interval '1 hour' WHERE was_trial")
        let until = try #require(try await wait())
        let list = try await control.run("unknown", "list").output
        let time = try #require(until.split(separator: "T").last?.prefix(8))
        #expect(list.contains(/or after ([0-9-]+ )?\d\d:\d\d:\d\d; sooner: unknown retry/), "\(list)")
        #expect(list.contains(time), "\(list)")
        #expect(try await control.run("unknown", "retry", "anna", "changed").code == 0)
        #expect(try await wait() == nil)
        let retried = try await control.run("unknown", "list").output
        #expect(retried.contains("or the writer says that it is well"), "\(retried)")
    }

    @Test("A write whose job is over or whose time has passed is listed before anybody has looked")
    func listOfTheAbandoned() async throws {
        let control = try await control()
        struct Write: Decodable {
            var keepNoteId: String
            var openUntil: String?
            var since: String
        }
        try await control.execute("UPDATE sync_jobs SET status = 'cancelled'")
        try await control.execute(
            "UPDATE sync_intents SET created_at = '2026-01-02T03:04:05Z' WHERE keep_note_id = 'under way'"
        )
        let cancelled: [Write] = try await control.run("unknown", "list", "--json").json()
        let open = try #require(cancelled.first { $0.keepNoteId == "under way" })
        #expect(open.openUntil != nil && open.since.hasPrefix("2026-01-02T03:04:05"), "since it was sent")
        #expect(try await control.run("unknown", "settle", "anna", "under way", "--not-written").code == 1)
        try await control.execute("UPDATE sync_intents SET open_until = now() WHERE keep_note_id = 'under way'")
        let over: [Write] = try await control.run("unknown", "list", "--json").json()
        #expect(over.contains { $0.keepNoteId == "under way" && $0.openUntil == nil })
        #expect(try await control.run("unknown", "settle", "anna", "under way", "--not-written").code == 0)
    }

    @Test("Surplus pages are listed until somebody has seen to them")
    func surplus() async throws {
        let control = try await control()
        #expect(try await control.run("unknown", "surplus").errors.contains("No surplus page"))
        try await control.execute(
            """
            INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id)
            VALUES ('anna', 'made', 'page-9', 'db', gen_random_uuid(), gen_random_uuid())
            """
        )
        #expect(try await control.run("unknown", "surplus").output.contains("page-9"))
        #expect(try await control.run("unknown", "surplus", "--forget", "page-9").code == 64)
        let missing = try await control.run("unknown", "surplus", "--user", "anna", "--forget", "page-8")
        #expect(
            missing.code == 66 && missing.errors.contains("No page page-8 of user anna is on the list"),
            "\(missing)"
        )
        #expect(missing.errors.contains("See: syncctl unknown surplus --user anna"), "\(missing)")
        #expect(try await control.run("unknown", "surplus", "--user", "anna", "--forget", "page-9").code == 0)
        #expect(try await count(control, "SELECT count(*) FROM sync_surplus_pages") == 0)
        // Pages whose ids nobody knows are named by their notes.
        try await control.execute(
            """
            INSERT INTO sync_unheard_requests (user_id, keep_note_id, request, operation, idempotency_key, content_hash,
                keep_modified_at, job_id, notion_database_id, sent_at, surplus_since)
            SELECT 'anna', note, request, 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 'db',
                '2026-01-02T03:04:05Z', now()
            FROM unnest(ARRAY['made', 'changed']) AS note, generate_series(1, 2) AS request
            """
        )
        let lines = try await control.run("unknown", "surplus").output.split(separator: "\n").dropFirst()
        #expect(
            lines.count == 4 && lines.allSatisfy { $0.contains("unknown") && $0.contains("2026-01-02 03:04:05 UTC") }
        )
        let which = try await control.run("unknown", "surplus", "--user", "anna", "--forget", "unknown")
        #expect(which.code == 64 && which.errors.contains("--note"), "\(which)")
        let one = try await control.run("unknown", "surplus", "--user", "anna", "--note", "made", "--forget", "unknown")
        #expect(
            one.code == 0
                && one.output == "Forgot 2 surplus pages of note made that there may have been, of unknown id.",
            "\(one)"
        )
        #expect(
            try await control.run("unknown", "surplus").output.split(separator: "\n").count == 3,
            "the other note's"
        )
    }

    @Test("A create that happened is recorded with its page")
    func settleCreate() async throws {
        let control = try await control()
        let unnamed = try await control.run("unknown", "settle", "anna", "made", "--written")
        #expect(unnamed.code == 64 && unnamed.errors.contains("--page"), "\(unnamed)")
        let settled = try await control.run("unknown", "settle", "anna", "made", "--written", "--page", Self.page)
        #expect(settled.code == 0, "\(settled)")
        let states = try await count(
            control,
            """
            SELECT count(*) FROM sync_state WHERE user_id = 'anna' AND keep_note_id = 'made' AND notion_page_id = \(Self.page)
                AND content_hash = '1:a' AND keep_modified_at = '2026-01-02 03:04:05'
            """
        )
        #expect(states == 1)
        #expect(try await count(control, "SELECT count(*) FROM sync_failed_notes") == 0)
        #expect(try await control.run("unknown", "settle", "anna", "made", "--not-written").code == 66)
    }

    @Test(
        "A page of another note, or of another user, is refused with its owner's name",
        arguments: ["sync_state", "surplus"]
    )
    func pageOfAnother(place: String) async throws {
        let control = try await control()
        for (user, note) in [("anna", "other"), ("bob", "his")] {
            try await control.execute("DELETE FROM sync_state")
            try await control.execute("DELETE FROM sync_surplus_pages")
            // As the replaced service writes it: without dashes.
            let page = Self.page.replacing("-", with: "").uppercased()
            try await control.execute(
                place == "surplus"
                    ? """
                    INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id)
                    VALUES (\(user), \(note), \(page), 'db', gen_random_uuid(), gen_random_uuid())
                    """
                    : """
                    INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at)
                    VALUES (\(user), \(note), \(page), now())
                    """
            )
            let refused = try await control.run("unknown", "settle", "anna", "made", "--written", "--page", Self.page)
            #expect(refused.code == 1 && refused.errors.contains("note \(note) of user \(user)"), "\(refused)")
            #expect(try await count(control, "SELECT count(*) FROM sync_state WHERE keep_note_id = 'made'") == 0)
            #expect(try await count(control, "SELECT count(*) FROM sync_intents WHERE keep_note_id = 'made'") == 1)
        }
    }

    @Test("A surplus page of the same note may become its page; the one that it had is then the surplus one")
    func surplusPageOfTheNote() async throws {
        let control = try await control()
        try await control.execute(
            """
            INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id)
            VALUES ('anna', 'made', \(Self.page), 'db', gen_random_uuid(), gen_random_uuid())
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at)
            VALUES ('anna', 'made', 'page-2', now())
            """
        )
        let settled = try await control.run("unknown", "settle", "anna", "made", "--written", "--page", Self.page)
        #expect(settled.code == 0, "\(settled)")
        let rows = try await control.database.pool.query("SELECT notion_page_id FROM sync_surplus_pages")
        #expect(try rows.map { try $0.decode(at: 0, as: String.self) } == ["page-2"])
        #expect(try await count(control, "SELECT count(*) FROM sync_state WHERE notion_page_id = \(Self.page)") == 1)
    }

    @Test(
        "A page is named by its id or its address; anything else is refused",
        arguments: [
            ("598337872CF94FDF8782E53DB20768A5", true),
            ("https://www.notion.so/anna/Milk-598337872cf94fdf8782e53db20768a5?pvs=4", true),
            ("https://www.notion.so/598337872cf94fdf8782e53db20768a6?v=1&p=598337872cf94fdf8782e53db20768a5", true),
            ("page-1", false), ("598337872cf94fdf8782e53db20768a", false), (" ", false),
            ("https://example.org/598337872cf94fdf8782e53db20768a5", false),
            ("59833787-2cf9-4fdf-8782-e53db20768a5'; --", false), ("https://www.notion.so/anna/Milk", false),
        ]
    )
    func pageIdentifiers(text: String, isPage: Bool) async throws {
        let control = try await control()
        let settled = try await control.run("unknown", "settle", "anna", "made", "--written", "--page", text)
        #expect(settled.code == (isPage ? 0 : 64), "\(settled)")
        let pages = try await count(control, "SELECT count(*) FROM sync_state WHERE notion_page_id = \(Self.page)")
        #expect(pages == (isPage ? 1 : 0))
    }

    @Test("An update that happened needs no page; one that did not is forgotten")
    func settleUpdate() async throws {
        let control = try await control()
        #expect(
            try await control.run("unknown", "settle", "anna", "changed", "--written", "--page", Self.page).code == 64
        )
        #expect(
            try await control.run("unknown", "settle", "anna", "changed", "--not-written", "--page", Self.page).code
                == 64
        )
        #expect(try await control.run("unknown", "settle", "anna", "changed", "--written").code == 0)
        #expect(
            try await count(
                control,
                "SELECT count(*) FROM sync_state WHERE notion_page_id = 'page-7' AND content_hash = '1:b'"
            )
                == 1
        )
        #expect(try await control.run("unknown", "settle", "anna", "made", "--not-written").code == 0)
        #expect(try await count(control, "SELECT count(*) FROM sync_intents") == 1)
    }

    @Test("A retry is an operator's word over the policy; a write under way is left alone")
    func retry() async throws {
        let control = try await control()
        let retried = try await control.run("unknown", "retry", "anna", "made")
        #expect(retried.code == 0 && retried.output.contains("once another call has succeeded"), "\(retried)")
        let warning = "There may be up to 2 pages of the note already"
        #expect(retried.errors.contains(warning) && retried.errors.contains("may make one more"), "\(retried)")
        let update = try await control.run("unknown", "retry", "anna", "changed")
        #expect(update.code == 0 && update.errors.isEmpty, "\(update)")
        #expect(try await count(control, "SELECT count(*) FROM sync_intents WHERE resolution = 'retry'") == 2)
        let refused = try await control.run("unknown", "retry", "anna", "none")
        #expect(refused.code == 66 && refused.errors.contains("unknown list"), "\(refused)")
        #expect(try await control.run("unknown", "settle", "anna", "none", "--not-written").code == 66)
        for command in [["retry", "anna", "under way"], ["settle", "anna", "under way", "--not-written"]] {
            let refused = try await control.result(of: control.start(["unknown"] + command))
            #expect(refused.code == 1 && refused.errors.contains("This write is under way until "), "\(refused)")
            #expect(refused.errors.hasSuffix(" UTC; \(command[0]) it after that."), "\(refused)")
        }
        #expect(try await control.run("unknown", "settle", "anna", "made").code == 64)
    }

    @Test("The list ends where it is to end")
    func limit() async throws {
        let control = try await control()
        let list = try await control.run("unknown", "list", "--limit", "1")
        #expect(list.output.contains("made") && !list.output.contains("changed"), "\(list)")
        #expect(list.errors.contains("These are the first 1; there are more."), "\(list)")
    }
}
