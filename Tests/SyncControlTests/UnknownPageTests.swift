import Foundation
import Postgres
import TestSupport
import Testing

@Suite("syncctl unknown settle and surplus, of several requests", .migrated)
struct UnknownPageTests {
    private static let page = "59833787-2cf9-4fdf-8782-e53db20768a5"

    /// A user with an unknown create and an unknown update.
    private func control() async throws -> ControlFixture {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, notion_page_id, idempotency_key, content_hash,
                keep_modified_at, job_id, lease, request, unknown_at, unknown_count, reason)
            VALUES ('anna', 'made', 'create', NULL, gen_random_uuid(), '1:a', '2026-01-02T03:04:05Z', gen_random_uuid(), 1,
                    8, now(), 2, 'no answer'),
                ('anna', 'changed', 'update', 'page-7', gen_random_uuid(), '1:b', '2026-01-02T03:04:05Z', gen_random_uuid(),
                    1, 9, now(), 1, 'reset')
            """
        )
        return control
    }

    private func count(_ control: ControlFixture, _ query: PostgresQuery) async throws -> Int {
        try await control.database.pool.query(query).first?.decode(at: 0) ?? -1
    }

    /// Another request of the note, sent before the one that its row stands for.
    private func sendEarlier(
        _ note: String,
        _ operation: String,
        _ hash: String,
        _ control: ControlFixture
    ) async throws {
        try await control.execute(
            """
            INSERT INTO sync_unheard_requests (user_id, keep_note_id, request, operation, notion_page_id, idempotency_key,
                content_hash, keep_modified_at, job_id, sent_at)
            VALUES ('anna', \(note), 7, \(operation), CASE \(operation) WHEN 'update' THEN 'page-7' END, gen_random_uuid(),
                \(hash), '2026-01-01T03:04:05Z', gen_random_uuid(), '2026-01-02T20:46:12Z')
            """
        )
        try await control.execute(
            "UPDATE sync_intents SET request = 8, created_at = '2026-01-02T20:46:15Z' WHERE keep_note_id = \(note)"
        )
    }

    private struct Surplus: Decodable {
        var notionPageId: String
        var sentAt: String
        var settledPageId: String?
        var notePageId: String?
    }

    @Test("Of several requests nobody knows which made the page that is named: all stay listed, beside its name")
    func pageOfOneOfSeveral() async throws {
        let control = try await control()
        try await sendEarlier("made", "create", "1:a", control)
        let settled = try await control.run("unknown", "settle", "anna", "made", "--written", "--page", Self.page)
        #expect(settled.code == 0 && settled.errors.contains("up to 1 further page"), "\(settled)")
        let pages: [Surplus] = try await control.run("unknown", "surplus", "--json").json()
        #expect(pages.map { String($0.sentAt.prefix(19)) } == ["2026-01-02T20:46:12", "2026-01-02T20:46:15"])
        #expect(pages.allSatisfy { $0.notionPageId == "unknown" })
        #expect(pages.allSatisfy { $0.settledPageId == Self.page && $0.notePageId == Self.page })
        let list = try await control.run("unknown", "surplus").output
        let words =
            "page \(Self.page) was made by one of the 2 requests sent at 2026-01-02 20:46:12 UTC, 2026-01-02 20:46:15 UTC, and which "
            + "is not known: look for pages of the others. Not to be touched: that page, which is the note's own"
        #expect(list.split(separator: "\n").filter { $0.contains(words) }.count == 2, "\(list)")
        let short = try await control.run("unknown", "surplus", "--limit", "1")
        #expect(short.output.contains(words) && short.errors.contains("there are more"), "\(short)")
        #expect(try await control.run("unknown", "surplus", "--user", "anna", "--forget", Self.page).code == 66)
        let hash = try await count(control, "SELECT count(*) FROM sync_state WHERE content_hash = '1:a'")
        #expect(hash == 1, "all requests were to write the same")
        #expect(try await control.run("unknown", "surplus", "--user", "anna", "--forget", "unknown").code == 0)
        #expect(try await count(control, "SELECT count(*) FROM sync_unheard_requests") == 0)
    }

    @Test("A page was not made by a request that was sent to another database: that one stays listed by itself")
    func requestToAnotherDatabase() async throws {
        let control = try await control()
        try await sendEarlier("made", "create", "1:old", control)
        try await control.execute("UPDATE sync_intents SET notion_database_id = 'db' WHERE keep_note_id = 'made'")
        try await control.execute("UPDATE sync_unheard_requests SET notion_database_id = 'former'")
        let settled = try await control.run("unknown", "settle", "anna", "made", "--written", "--page", Self.page)
        #expect(settled.code == 0 && settled.errors.contains("up to 1 further page"), "\(settled)")
        let pages: [Surplus] = try await control.run("unknown", "surplus", "--json").json()
        #expect(pages.map(\.settledPageId) == [nil] && pages.map(\.notePageId) == [Self.page])
        let hash = try await count(control, "SELECT count(*) FROM sync_state WHERE content_hash = '1:a'")
        #expect(hash == 1, "what the page shows is known")
        #expect(try await count(control, "SELECT count(*) FROM sync_unheard_requests WHERE request = 7") == 1)
    }

    @Test("A page whose request was answered was not made by one that was not: that one stays listed")
    func pageOfAnAnsweredRequest() async throws {
        let control = try await control()
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at)
            VALUES ('anna', 'made', \(Self.page), now())
            """
        )
        let settled = try await control.run("unknown", "settle", "anna", "made", "--written", "--page", Self.page)
        #expect(settled.code == 0 && settled.errors.contains("up to 1 further page"), "\(settled)")
        let pages: [Surplus] = try await control.run("unknown", "surplus", "--json").json()
        #expect(pages.map(\.settledPageId) == [nil] && pages.map(\.notePageId) == [Self.page])
        let list = try await control.run("unknown", "surplus").output
        #expect(list.contains("not to be touched: the note's own page, \(Self.page)"), "\(list)")
    }

    @Test(
        "Of requests with different texts nobody knows which the page shows: the note is asked for again",
        arguments: [("made", "create"), ("changed", "update")]
    )
    func textOfOneOfSeveral(note: String, operation: String) async throws {
        let control = try await control()
        try await sendEarlier(note, operation, "1:old", control)
        let page = operation == "create" ? ["--page", Self.page] : []
        let run = try control.start(["unknown", "settle", "anna", note, "--written"] + page)
        #expect(try await control.result(of: run).code == 0)
        let states = try await count(
            control,
            """
            SELECT count(*) FROM sync_state
            WHERE keep_note_id = \(note) AND content_hash IS NULL AND keep_modified_at = '2026-01-01 03:04:05'
            """
        )
        let asked = try await count(
            control,
            "SELECT count(*) FROM sync_failed_notes WHERE keep_note_id = \(note) AND code = 'superseded'"
        )
        #expect(states == 1 && asked == 1)
    }
}
