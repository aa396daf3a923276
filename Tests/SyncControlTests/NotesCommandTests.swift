import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("syncctl notes", .migrated)
struct NotesCommandTests {
    private struct Life: Decodable {
        struct Page: Decodable { let notionPageId: String }
        struct Write: Decodable {
            let operation: String
            let next: String?
        }
        struct Failure: Decodable {
            let code: String
            let failures: Int
        }
        struct Event: Decodable {
            let text: String
            let jobId: String?
        }
        let page: Page?
        let write: Write?
        let failure: Failure?
        let events: [Event]
        let next: String
    }

    private func insertPage(_ control: ControlFixture) async throws {
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at)
            VALUES ('anna', 'n1', 'page-1', '2026-01-02 03:04:05', '2026-01-02 03:05:00')
            """
        )
    }

    @Test("The life of a note is told from its first page to what becomes of its last write")
    func life() async throws {
        let control = try ControlFixture()
        try await insertPage(control)
        let written = try await control.run("notes", "show", "anna", "n1")
        #expect(written.code == 0, "\(written)")
        #expect(
            written.output.contains(
                "Note n1 of user anna has a page, which shows its version of 2026-01-02 03:04:05 UTC"
            )
        )
        #expect(
            written.output.contains("page-1") && written.output.contains("nothing, until it is edited"),
            "\(written)"
        )

        let job = try await control.insertJob(user: "anna")
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, failures, keep_modified_at, job_id,
                first_failed_at, last_failed_at)
            VALUES ('anna', 'n1', 'held', 'Its write is held.', 3, now(), \(job.rawValue), '2026-01-03 00:00Z', '2026-01-04 00:00Z')
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, notion_page_id, idempotency_key, content_hash,
                keep_modified_at, job_id, lease, created_at, unknown_at, unknown_count, reason)
            VALUES ('anna', 'n1', 'update', 'page-1', gen_random_uuid(), '1:a', now(), \(job.rawValue), 1, '2026-01-03 01:00Z',
                '2026-01-03 02:00Z', 2, 'Nothing was heard of it.')
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id,
                found_at)
            VALUES ('anna', 'n1', 'page-2', 'd1', gen_random_uuid(), \(job.rawValue), '2026-01-05 00:00Z')
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_logs (job_id, level, message, keep_note_id, created_at) VALUES
                (\(job.rawValue), 'WARNING', 'The writer answered 503.', 'n1', '2026-01-03 00:30'),
                (\(job.rawValue), 'INFO', 'Of another note.', 'n2', '2026-01-03 00:31')
            """
        )
        let text = try await control.run("notes", "show", "anna", "n1").output
        for words in [
            "held for you, 3 times", "an update of it may or may not have been made", "page-2", "syncctl unknown list",
        ] {
            #expect(text.contains(words), "\(words): \(text)")
        }
        #expect(!text.contains("Of another note."))
        let life: Life = try await control.run("notes", "show", "anna", "n1", "--json").json()
        #expect(life.page?.notionPageId == "page-1" && life.write?.next == "held" && life.failure?.failures == 3)
        #expect(
            life.events.map(\.text) == [
                "its page was written", "failed for the first time", "WARNING: The writer answered 503.", "update sent",
                "outcome of the update found to be unknown", "failed: Its write is held.", "surplus page page-2 found",
            ]
        )
        #expect(life.events[2].jobId == "\(job)")
    }

    @Test("A note of which nothing is on record is told from a user of whom nothing is")
    func unknown() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        let note = try await control.run("notes", "show", "anna", "n9")
        #expect(note.code == 66 && note.errors.contains("Nothing is on record of note n9 of user anna"), "\(note)")
        #expect(note.errors.contains("syncctl notes failing --user anna"), "\(note)")
        let user = try await control.run("notes", "show", "ana", "n9")
        #expect(user.code == 66 && user.errors.contains("There is no user ana"), "\(user)")
    }

    @Test("Failing notes are the list of those that failed")
    func failing() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, job_id) VALUES
                ('anna', 'n1', 'rejected', 'Too long.', gen_random_uuid()), ('bob', 'n2', 'rejected', 'r', gen_random_uuid())
            """
        )
        let failing = try await control.run("notes", "failing", "--user", "anna")
        #expect(failing.code == 0 && failing.output.contains("n1") && !failing.output.contains("n2"), "\(failing)")
        #expect(failing.output.contains("refused by Notion") && failing.output.contains("Too long."), "\(failing)")
        let json = try await control.run("notes", "failing", "--json").output
        #expect(try await control.run("failed", "list", "--json").output == json && json.contains("n2"))
    }
}
