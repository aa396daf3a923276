import Postgres
import TestSupport
import Testing

@Suite("Another Notion database in the credentials", .migrated)
struct DatabaseMoveTests {
    private static let old = "59833787-2cf9-4fdf-8782-e53db20768a5"
    private static let oldDigits = "598337872cf94fdf8782e53db20768a5"

    private func set(
        _ database: String,
        _ control: ControlFixture,
        _ changes: [String: String] = [:]
    ) async throws -> String {
        let arguments = ["credentials", "set", "anna", "--database-id", database]
        let run = try control.start(arguments, changes)
        try run.write("g\nn\n")
        run.closeInput()
        let result = try await control.result(of: run)
        #expect(result.code == 0, "\(result)")
        return result.errors
    }

    private func storePage(_ note: String, in database: String?, _ control: ControlFixture) async throws {
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, notion_database_id)
            VALUES ('anna', \(note), \("page-\(note)"), now(), \(database))
            """
        )
    }

    private func setCursor(_ database: String, _ control: ControlFixture) async throws {
        try await control.execute(
            "INSERT INTO sync_cursors (user_id, keep_modified_at, notion_database_id) VALUES ('anna', now(), \(database))"
        )
    }

    @Test("It is said where the pages lie, whatever was stored in between", arguments: [true, false])
    func moves(hasCursor: Bool) async throws {
        let control = try ControlFixture()
        #expect(try await set(Self.old, control).isEmpty)
        for note in ["n1", "n2", "n3"] { try await storePage(note, in: Self.oldDigits, control) }
        if hasCursor { try await setCursor(Self.oldDigits, control) }
        #expect(try await set(Self.oldDigits, control).isEmpty, "the same, written otherwise")
        for other in ["other", "third", "third"] {
            let said = try await set(other, control)
            for part in [
                "The user's pages lie in \(Self.oldDigits), not in \(other), and stay", "SYNC_DATABASE_CHANGED",
                "jobs fail until you run: syncctl clear-state anna —", "creates every page in \(other).",
                "With recreate it does so by itself.",
                "run: syncctl credentials set anna --database-id \(Self.oldDigits)",
            ] where !said.contains(part) { Issue.record("\(part): \(said)") }
        }
        let back = try await set(Self.old, control)
        #expect(back.contains("lie in \(Self.old): there is nothing else to do.") && !back.contains("clear-state"))
    }

    @Test("Without pages nothing is said, and of pages in both what is to come")
    func pagesInSome() async throws {
        let control = try ControlFixture()
        // That these are no ids of Notion is all that is said.
        for database in ["first", "other"] {
            let said = try await set(database, control)
            #expect(!said.contains("pages") && !said.contains("clear-state"), "\(said)")
        }
        try await setCursor("first", control)
        let empty = try await set("third", control)
        #expect(empty.contains("last sync of the user was to the database first, not to third."), "\(empty)")
        try await storePage("n1", in: "first", control)
        try await storePage("n2", in: "other", control)
        try await storePage("n3", in: nil, control)
        let twice = try await set("other", control)
        #expect(twice.contains("The user's pages lie in first, not in other") && twice.contains("then there twice"))
        let back = try await set("first", control)
        #expect(back.contains("Some of the user's pages lie in other:") && !back.contains("clear-state"), "\(back)")
    }

    @Test("Without a cursor every database counts that pages lie in")
    func pagesInSomeWithoutCursor() async throws {
        let control = try ControlFixture()
        _ = try await set("first", control)
        for (note, database) in [("n1", "first"), ("n2", "other"), ("n3", "first")] {
            try await storePage(note, in: database, control)
        }
        for (named, rest) in [("other", "first"), ("first", "other")] {
            let said = try await set(named, control)
            #expect(
                said.contains("Some of the user's pages lie in \(rest):") && !said.contains("clear-state"),
                "\(said)"
            )
        }
        let third = try await set("third", control)
        #expect(third.contains("The user's pages lie in first, other, not in third"), "\(third)")
        #expect(third.contains("If that database is a mistake, run: syncctl credentials set anna --database-id ID"))
    }

    @Test("An operator's role may read where the pages lie")
    func operatorsRole() async throws {
        let control = try ControlFixture()
        let roles = try await control.database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        try await storePage("n1", in: "first", control)
        let url = ["DATABASE_URL": control.database.connectionString(of: "sync_operator")]
        #expect(try await set("other", control, url).contains("The user's pages lie in first, not in other"))
    }

    @Test("Who settles a write that went to another database hears what it means", arguments: [nil, "first", "other"])
    func settling(cursor: String?) async throws {
        let control = try ControlFixture()
        _ = try await set("first", control)
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count, notion_database_id)
            VALUES ('anna', 'n1', 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now(), 1, 'first'),
                ('anna', 'n2', 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now(), 1, 'other')
            """
        )
        if let cursor { try await setCursor(cursor, control) }
        _ = try await set("other", control)
        func settle(_ note: String, _ page: String) async throws -> String {
            let settled = try await control.run("unknown", "settle", "anna", note, "--written", "--page", page)
            #expect(settled.code == 0, "\(settled)")
            return settled.errors
        }
        let said = try await settle("n1", Self.old)
        #expect(said.contains("It was sent to the database first, where the page lies; the credentials name other"))
        #expect(said.contains("jobs fail until you run: syncctl clear-state anna") == (cursor != "other"), "\(said)")
        #expect(try await settle("n2", String(repeating: "2e", count: 16)).isEmpty)
    }
}
