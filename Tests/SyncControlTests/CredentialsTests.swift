import Fernet
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("syncctl credentials and keygen", .migrated)
struct CredentialsTests {
    private func load(_ user: String, _ control: ControlFixture) async throws -> Credentials {
        let keys = try FernetKeyRing(control.environment["AWS_ENCRYPTION_KEY"] ?? "")
        return try await CredentialStore(pool: control.database.pool, keys: keys).load(UserID(user))
    }

    @Test("Tokens from stdin are stored encrypted, listed without tokens, and deleted")
    func life() async throws {
        let control = try ControlFixture()
        let stored = try await control.run(
            "credentials",
            "set",
            "anna@example.org",
            "--database-id",
            "d1",
            input: "google-secret\nnotion-secret\n"
        )
        #expect(stored.code == 0, "\(stored)")
        let loaded = try await load("anna@example.org", control)
        #expect(
            [loaded.googleToken, loaded.notionToken, loaded.databaseID] == ["google-secret", "notion-secret", "d1"]
        )

        let json = #"{"google_oauth_token":"g2","notion_api_token":"n2","notion_database_id":"d2"}"#
        let replaced = try await control.run("credentials", "set", "anna@example.org", input: json)
        #expect(replaced.code == 0 && replaced.output.hasPrefix("Replaced"), "\(replaced)")
        #expect(try await load("anna@example.org", control).databaseID == "d2")

        let list = try await control.run("credentials", "list", environment: ["AWS_ENCRYPTION_KEY": ""])
        #expect(list.code == 0 && list.output.contains("anna@example.org") && list.output.contains("d2"), "\(list)")
        let rows: [[String: String]] = try await control.run("credentials", "list", "--json").json()
        #expect(rows.map { $0.keys.sorted() } == [["binding", "notion_database_id", "updated_at", "user_id"]])

        #expect(try await control.run("credentials", "delete", "anna@example.org").code == 0)
        let again = try await control.run("credentials", "delete", "anna@example.org")
        #expect(again.code == 66 && again.errors.contains("credentials list"), "\(again)")
        #expect(try await control.run("credentials", "list", "--json").output == "[]")
    }

    @Test(
        "What can't be stored is refused and not shown",
        arguments: [
            (["anna", "--database-id", "d"], "", 65), (["anna", "--database-id", "d"], "sesame\n\n", 65),
            (["anna", "--database-id", "d"], "{\"google_oauth_token\":\"sesame\"}", 65),
            (["anna"], "sesame\nsesame\n", 64), (["anna", "--database-id", " "], "sesame\nsesame\n", 64),
            ([String(repeating: "ä", count: 256), "--database-id", "d"], "sesame\nsesame\n", 64),
            (["", "--database-id", "d"], "sesame\nsesame\n", 64),
            (["anna", "--database-id", String(repeating: "d", count: 256)], "sesame\nsesame\n", 64),
        ] as [([String], String, Int32)]
    )
    func refused(arguments: [String], input: String, code: Int32) async throws {
        let control = try ControlFixture()
        let run = try control.start(["credentials", "set"] + arguments)
        try? run.write(input)  // A program that ends without reading makes it fail.
        run.closeInput()
        let result = try await control.result(of: run)
        #expect(result.code == code && !result.errors.isEmpty, "\(result)")
        #expect(!result.description.contains("sesame"))
        #expect(try await control.run("credentials", "list", "--json").output == "[]")
    }

    @Test("A user's name may have 255 characters, however many bytes they are")
    func longName() async throws {
        let control = try ControlFixture()
        let name = String(repeating: "ä", count: 255)
        try await control.storeCredentials(name)
        #expect(try await load(name, control).databaseID == "d1")
    }

    @Test("A key that is none is named, not shown")
    func wrongKey() async throws {
        let control = try ControlFixture(["AWS_ENCRYPTION_KEY": "sesame"])
        let result = try await control.run("credentials", "set", "anna", "--database-id", "d", input: "g\nn\n")
        #expect(result.code == 78 && result.errors.contains("syncctl keygen"), "\(result)")
        #expect(!result.description.contains("sesame"))
    }

    @Test("Without a key one is made, kept and announced")
    func generatedKey() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }  // A folder left behind does no harm.
        let control = try ControlFixture(["AWS_ENCRYPTION_KEY": "", "SYNC_STATE_DIR": folder.path])
        let first = try await control.run("credentials", "set", "anna", "--database-id", "d", input: "g\nn\n")
        #expect(first.code == 0 && first.errors.contains(folder.path), "\(first)")
        let second = try await control.run("credentials", "set", "bob", "--database-id", "d", input: "g\nn\n")
        #expect(second.code == 0 && second.errors.contains(folder.path), "as clear as the first: \(second)")
        let key = try String(contentsOf: folder.appending(path: "encryption.key"), encoding: .utf8)
        let store = CredentialStore(pool: control.database.pool, keys: try FernetKeyRing(key))
        #expect(try await store.load(UserID("anna")).googleToken == "g")
    }

    @Test("No key is made or used that does not open what is stored")
    func foreignKey() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        let folder = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)")
        let none = try await control.run(
            "credentials",
            "set",
            "bob",
            "--database-id",
            "d",
            input: "g\nn\n",
            environment: ["AWS_ENCRYPTION_KEY": "", "SYNC_STATE_DIR": folder.path]
        )
        #expect(none.code == 78 && none.errors.contains("AWS_ENCRYPTION_KEY"), "\(none)")
        #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "encryption.key").path))
        let other = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
        // As the first worker has made it.
        let keys = try FernetKeyRing(control.environment["AWS_ENCRYPTION_KEY"] ?? "")
        try await control.execute(
            "INSERT INTO sync_installation_keys (name, value) VALUES ('k', \(try StoredSecret(keyRing: keys).encrypt("x")))"
        )
        let wrong = try await control.run(
            "credentials",
            "set",
            "bob",
            "--database-id",
            "d",
            input: "g\nn\n",
            environment: other
        )
        #expect(wrong.code == 78 && wrong.errors.contains("credentials check"), "\(wrong)")
        #expect(try await control.run("credentials", "check", environment: other).code == 1)
        #expect(try await control.run("credentials", "check").code == 0)
    }

    @Test("A key that is lost for good is left behind: forget it, store the tokens again")
    func lostKey() async throws {
        let control = try ControlFixture()
        for user in ["anna", "bob"] { try await control.storeCredentials(user) }
        let lost = try FernetKeyRing(control.environment["AWS_ENCRYPTION_KEY"] ?? "")
        try await control.execute(
            """
            INSERT INTO sync_installation_keys (name, value)
            VALUES ('content_hash', \(try StoredSecret(keyRing: lost).encrypt("x")))
            """
        )
        let right = try await control.run("credentials", "forget-keys", "--yes")
        #expect(right.code == 1 && right.errors.contains("Nothing was changed"), "\(right)")
        let fresh = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
        func set(_ user: String) async throws -> ControlResult {
            try await control.run("credentials", "set", user, "--database-id", "d", input: "g\nn\n", environment: fresh)
        }
        let refused = try await set("anna")
        #expect(refused.code == 78 && refused.errors.contains("credentials forget-keys"), "\(refused)")
        let unasked = try await control.run("credentials", "forget-keys", environment: fresh)
        #expect(unasked.code == 64 && unasked.errors.contains("--yes"), "\(unasked)")
        let forgotten = try await control.run("credentials", "forget-keys", "--yes", environment: fresh)
        #expect(forgotten.code == 0 && forgotten.output.contains("content_hash"), "\(forgotten)")
        #expect(try await set("anna").code == 0)
        #expect(try await set("bob").code == 0)
        let check = try await control.run("credentials", "check", environment: fresh)
        #expect(check.code == 0 && check.output.contains("2 users"), "\(check)")
        let twice = try await control.run("credentials", "forget-keys", "--yes", environment: fresh)
        #expect(twice.code == 1, "\(twice)")
    }

    @Test("After forget-keys all commands say the same, and new tokens need no database")
    func afterForgetting() async throws {
        let control = try ControlFixture()
        for user in ["anna", "-bob; reboot"] {
            let keys = try FernetKeyRing(control.environment["AWS_ENCRYPTION_KEY"] ?? "")
            let credentials = Credentials(googleToken: "g", notionToken: "n", databaseID: "d1")
            try await CredentialStore(pool: control.database.pool, keys: keys).store(credentials, of: UserID(user))
        }
        let fresh = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
        #expect(try await control.run("credentials", "forget-keys", "--yes", environment: fresh).code == 0)
        let twice = try await control.run("credentials", "forget-keys", "--yes", environment: fresh)
        #expect(twice.code == 1 && twice.errors.contains("These keys are the right ones"), "\(twice)")
        let check = try await control.run("credentials", "check", environment: fresh)
        #expect(check.output.contains("The keys open the tokens of 0 users and 1 installation key."), "\(check)")
        #expect(check.output.contains("Store them again with: syncctl credentials set anna"), "\(check)")
        #expect(check.output.contains("syncctl credentials set -- '-bob; reboot'"), "\(check)")
        let set = try await control.run("credentials", "set", "anna", input: "g2\nn2\n", environment: fresh)
        #expect(set.code == 0 && set.output.contains("database d1"), "\(set)")
        #expect(try await control.run("credentials", "check", environment: fresh).output.contains("1 user and"))
    }

    @Test("Where no installation key decides, the tokens of the others do")
    func foreignKeyOfOthers() async throws {
        let control = try ControlFixture()
        for user in ["anna", "bob"] { try await control.storeCredentials(user) }
        let other = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
        func set(_ user: String, _ changes: [String: String] = [:]) async throws -> ControlResult {
            try await control.run(
                "credentials",
                "set",
                user,
                "--database-id",
                "d",
                input: "g\nn\n",
                environment: changes
            )
        }
        let refused = try await set("bob", other)
        #expect(refused.code == 78 && refused.errors.contains("opens nothing of what is stored"), "\(refused)")
        #expect(try await set("bob").code == 0)
        #expect(try await control.run("credentials", "forget-keys", "--yes").code == 1)
        let forgotten = try await control.run("credentials", "forget-keys", "--yes", environment: other)
        #expect(forgotten.code == 0, "\(forgotten)")
        #expect(try await set("bob", other).code == 0)
    }

    @Test("Looking makes no key")
    func checkMakesNoKey() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)")
        let control = try ControlFixture(["AWS_ENCRYPTION_KEY": "", "SYNC_STATE_DIR": folder.path])
        let check = try await control.run("credentials", "check")
        #expect(check.code == 78 && check.errors.contains("syncctl keygen"), "\(check)")
        #expect(!FileManager.default.fileExists(atPath: folder.path))
    }

    @Test(
        "A database is named by its id or its address",
        arguments: [
            (
                "https://www.notion.so/anna/598337872cf94fdf8782e53db20768a5?v=1", "598337872cf94fdf8782e53db20768a5",
                false
            ),
            ("59833787-2cf9-4fdf-8782-e53db20768a5", "59833787-2cf9-4fdf-8782-e53db20768a5", false),
            ("demo-database", "demo-database", true), ("my database", nil, false),
            ("https://example.org/x", nil, false),
        ] as [(String, String?, Bool)]
    )
    func databases(text: String, stored: String?, isDoubted: Bool) async throws {
        let control = try ControlFixture()
        let result = try await control.run("credentials", "set", "anna", "--database-id", text, input: "g\nn\n")
        #expect(result.code == (stored == nil ? 64 : 0), "\(result)")
        #expect(result.errors.contains("stored all the same") == isDoubted, "\(result)")
        if let stored { #expect(try await load("anna", control).databaseID == stored) }
    }

    @Test(
        "A user whose name nobody could type again is refused",
        arguments: [" anna", "anna\u{A0}", "an\u{7}na", "anna\n"]
    )
    func users(name: String) async throws {
        let control = try ControlFixture()
        let result = try await control.run("credentials", "set", name, "--database-id", "d", input: "g\nn\n")
        #expect(result.code == 64 && result.errors.contains("name of the user"), "\(result)")
        #expect(try await control.run("enqueue", name, "--force").code == 64)
    }

    @Test("A key is replaced: the new one first, re-encrypt, drop the old one")
    func rotation() async throws {
        let control = try ControlFixture()
        for user in ["anna", "bob"] { try await control.storeCredentials(user) }
        let old = control.environment["AWS_ENCRYPTION_KEY"] ?? ""
        let new = try FernetKey.generate().base64
        let strayKeys = try FernetKeyRing(try FernetKey.generate().base64)
        let stray = Credentials(googleToken: "g", notionToken: "n", databaseID: "d")
        try await CredentialStore(pool: control.database.pool, keys: strayKeys).store(stray, of: UserID("cyd"))
        try await control.execute(
            "INSERT INTO sync_installation_keys (name, value) VALUES ('k', \(try StoredSecret(keyRing: FernetKeyRing(old)).encrypt("x")))"
        )
        let both = ["AWS_ENCRYPTION_KEY": "\(new),\(old)"]
        let done = try await control.run("credentials", "reencrypt", environment: both)
        #expect(done.code == 1 && done.output.contains("2 users") && done.output.contains("cyd"), "\(done)")
        try await control.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'idle', 1, 'x')
            """
        )
        let again = try await control.run("credentials", "reencrypt", environment: both)
        #expect(again.output.contains("Nothing was changed: the first key opens the tokens of 2 users"), "\(again)")
        #expect(!again.errors.contains("need the new key"), "\(again)")
        let wrong = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
        let none = try await control.run("credentials", "reencrypt", environment: wrong)
        #expect(none.code == 1 && none.output.contains("the keys open nothing of what is stored"), "\(none)")
        #expect(!none.output.contains("Nothing to do"), "\(none)")
        let nothing = try await control.run("credentials", "check", environment: wrong)
        #expect(nothing.code == 1 && nothing.output.contains("The keys open nothing of what is stored."), "\(nothing)")
        let alone = ["AWS_ENCRYPTION_KEY": new]
        let check = try await control.run("credentials", "check", environment: alone)
        #expect(check.code == 1 && check.output.contains("2 users") && check.output.contains("cyd"), "\(check)")
        #expect(
            check.output.contains("1 installation key.") && !check.output.contains("They do not open the installation")
        )
        let loaded = try await CredentialStore(pool: control.database.pool, keys: FernetKeyRing(new)).load(
            UserID("anna")
        )
        #expect(!loaded.googleToken.isEmpty)
    }

    @Test("keygen prints a key that works, another one each time")
    func keygen() async throws {
        let control = try ControlFixture(["DATABASE_URL": ""])
        let first = try await control.run("keygen")
        let second = try await control.run("keygen")
        #expect(first.code == 0 && first.output != second.output)
        _ = try FernetKey(base64: first.output)
    }

    @Test("On a terminal the tokens are asked for and never shown")
    func prompt() async throws {
        let control = try ControlFixture()
        let terminal = try PseudoTerminal()
        let run = try terminal.run(control, ["credentials", "set", "anna", "--database-id", "d1"])
        try await terminal.waitFor("Google master token")
        terminal.type("wrong\u{15}secret-goö\u{7F}oX\u{7F}gle\r")
        try await terminal.waitFor("Notion API token")
        terminal.type("secret-notion\n")
        #expect(try await run.waitForExit() == .code(0), "\(terminal.screen)")
        #expect(!terminal.screen.contains("secret") && !terminal.screen.contains("wrong"))
        let loaded = try await load("anna", control)
        #expect([loaded.googleToken, loaded.notionToken] == ["secret-google", "secret-notion"])
    }

    @Test("Ctrl-C at the prompt stores nothing and leaves the terminal as it was")
    func interruptedPrompt() async throws {
        let control = try ControlFixture()
        let terminal = try PseudoTerminal()
        let run = try terminal.run(control, ["credentials", "set", "anna", "--database-id", "d1"])
        try await terminal.waitFor("Google master token")
        terminal.type("secret\u{3}")
        #expect(try await run.waitForExit() == .code(130))
        try await terminal.waitFor("nothing was stored")
        #expect(!terminal.screen.contains("secret"))
        #expect(try await control.run("credentials", "list", "--json").output == "[]")
    }
}
