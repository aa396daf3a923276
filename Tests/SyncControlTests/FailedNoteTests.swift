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
        try await openWrite(control, note: "n3")
        let list = try await control.run("failed", "list", "--user", "anna")
        #expect(list.output.contains("too long") && !list.output.contains("bob"), "\(list)")
        #expect(list.output.contains("refused by Notion") && list.output.contains("page in the trash"), "\(list)")
        let held = try #require(list.output.split(separator: "\n").first { $0.contains("held for you") })
        #expect(held.hasSuffix("see syncctl unknown list"), "\(held)")
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
        let again = try await control.run("failed", "retry", "anna", "n1")
        #expect(
            again.code == 0 && again.output.contains("Already asked for: the next sync sends 1 note again."),
            "\(again)"
        )
        let all = try await control.run("failed", "retry", "anna")
        #expect(all.code == 0 && all.output.contains("1 note: the next sync sends it again."), "\(all)")
        #expect(all.errors.contains("1 note has an earlier write") && all.errors.contains("unknown list --user anna"))
        for arguments in [["failed", "retry", "anna", "n9"], ["failed", "retry", "cyd"]] {
            let none = try await control.result(of: control.start(arguments))
            #expect(none.code == 66 && none.errors.contains("on the list of failed ones"), "\(none)")
        }
        #expect(try await withheld() == ["n1"], "bob's")
        let next = try await control.run("failed", "list", "--user", "anna").output
        #expect(next.matches(of: /asked for by the next sync/).count == 2, "\(next)")
        let kept = try await control.database.pool.query("SELECT FROM sync_failed_notes")
        #expect(kept.count == 4, "they are asked for as before")
    }

    private func openWrite(_ control: ControlFixture, note: String) async throws {
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count)
            VALUES ('anna', \(note), 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now(), 2)
            """
        )
    }

    @Test("What is held is sent to unknown list, and once it is settled to the next sync")
    func held() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, job_id)
            VALUES ('anna', 'n1', 'held', 'See: syncctl unknown list', gen_random_uuid())
            """
        )
        try await openWrite(control, note: "n1")
        let retry = try await control.run("failed", "retry", "anna")
        #expect(retry.code == 1 && retry.errors.contains("this command does not send it"), "\(retry)")
        let command = try #require(retry.errors.firstRange(of: "See: syncctl unknown list --user anna"))
        #expect(!command.isEmpty)
        #expect(try await control.run("unknown", "list", "--user", "anna").output.contains("n1"))

        #expect(try await control.run("unknown", "settle", "anna", "n1", "--not-written").code == 0)
        let list = try await control.run("failed", "list")
        #expect(!list.output.contains("unknown list") && !list.output.contains("held"), "\(list)")
        #expect(list.output.contains("asked for by the next sync") && list.output.contains("settled"), "\(list)")
        let again = try await control.run("failed", "retry", "anna")
        #expect(again.code == 0 && again.output.contains("Already asked for"), "\(again)")
    }

    @Test("What an operator has sent again is held no more")
    func retried() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, job_id)
            VALUES ('anna', 'n1', 'held', 'See: syncctl unknown list', gen_random_uuid()),
                ('anna', 'n2', 'unknownCreate', 'See: syncctl unknown list', gen_random_uuid()),
                ('anna', 'n3', 'held', 'third', gen_random_uuid())
            """
        )
        for note in ["n1", "n2", "n3"] { try await openWrite(control, note: note) }
        for note in ["n1", "n2"] { #expect(try await control.run("unknown", "retry", "anna", note).code == 0) }
        let list = try await control.run("failed", "list").output
        #expect(
            list.matches(of: /not written yet .* sent again by a next sync, once another call/).count == 2,
            "\(list)"
        )
        #expect(list.matches(of: /unknown list/).count == 1 && list.contains("held for you"), "\(list)")
        struct Note: Decodable {
            var keepNoteId: String
            var isWriteRetried: Bool
        }
        let notes: [Note] = try await control.run("failed", "list", "--json").json()
        #expect(notes.filter(\.isWriteRetried).map(\.keepNoteId).sorted() == ["n1", "n2"])
    }

    @Test("A note's id is shown as it can be pasted", arguments: ["rtl\u{202E}id", "a\u{200B}'b"])
    func invisibleCharacters(note: String) async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, job_id)
            VALUES ('anna', \(note), 'held', 'x', gen_random_uuid())
            """
        )
        try await openWrite(control, note: note)
        for (list, command) in [("unknown", "unknown retry"), ("failed", "failed retry")] {
            let output = try await control.run(list, "list").output
            let shown = try #require(output.firstMatch(of: /anna +(\S+)/)?.1)
            if list == "failed" {
                try await control.execute("DELETE FROM sync_intents")
            }
            let run = try ProgramRun(
                executable: "/bin/bash",
                ["-c", "\"$0\" \(command) anna \(shown)", ProgramRun.path(of: "syncctl")],
                environment: control.environment
            )
            #expect(try await run.waitForExit() == .code(0), "\(shown): \(run.transcript)")
        }
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
        try await control.execute(
            """
            INSERT INTO sync_unheard_requests (user_id, keep_note_id, request, operation, idempotency_key, content_hash,
                keep_modified_at, job_id, sent_at)
            VALUES ('anna', 'n2', 2, 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), now())
            """
        )
        let page = "59833787-2cf9-4fdf-8782-e53db20768a5"
        let commands = [
            ["failed", "list"], ["failed", "retry", "anna"], ["cancel", job.description],
            ["retry", "--failed-since", "1h"],
            ["unknown", "list"], ["unknown", "settle", "anna", "n2", "--written", "--page", page],
            ["unknown", "surplus", "--user", "anna", "--forget", "p"],
            ["unknown", "surplus", "--user", "anna", "--forget", "unknown"], ["clear-state", "anna", "--yes"],
            ["pause", "--user", "anna", "--reason", "r"], ["pauses"], ["enqueue", "anna", "--force"],
            ["jobs", job.description], ["resume", "--user", "anna"], ["workers"],
            ["gates", "close", "notion_writer", "--for", "1h", "--reason", "r"],
            ["gates", "close", "notion_writer", "--for", "2h", "--reason", "r"], ["gates", "open", "notion_writer"],
            ["gates"],
        ]
        for command in commands {
            let url = ["DATABASE_URL": control.database.connectionString(of: "sync_operator")]
            let result = try await control.result(of: control.start(command, url))
            #expect(result.code == 0, "\(command): \(result)")
        }
    }
}
