import Fernet
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@Suite("syncctl credentials bind", .migrated)
struct CredentialBindingTests {
    /// What the list says of each user's binding.
    private func bindings(_ control: ControlFixture) async throws -> [String: String] {
        struct Row: Decodable {
            var userId: String
            var binding: String
        }
        let rows: [Row] = try await control.run("credentials", "list", "--json").json()
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.userId, $0.binding) })
    }

    /// Stores credentials as the admin interface does: with the key, and without a binding.
    private func storeUnbound(_ user: String, _ control: ControlFixture) async throws {
        let secrets = StoredSecret(keyRing: try FernetKeyRing(control.environment["AWS_ENCRYPTION_KEY"] ?? ""))
        try await control.execute(
            """
            INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
            VALUES (\(user), \(try secrets.encrypt("g-\(user)")), \(try secrets.encrypt("n")), 'd1')
            """
        )
    }

    @Test("What is set is bound; a change from outside takes that away, a person brings it back")
    func life() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        #expect(try await bindings(control) == ["anna": "set"])
        // As Django saves a row that nobody has changed.
        try await control.execute("UPDATE credentials SET notion_database_id = 'd1', updated_at = now()")
        #expect(try await bindings(control) == ["anna": "set"])
        try await control.execute("UPDATE credentials SET notion_database_id = 'd2'")
        try await control.execute("UPDATE credentials SET binding_cleared_at = NULL")
        #expect(try await bindings(control) == ["anna": "changed"], "and who did it can't hide it")
        let check = try await control.run("credentials", "check")
        #expect(check.code == 1 && check.output.contains("syncctl credentials bind anna"), "\(check)")
        let all = try await control.run("credentials", "bind", "--all")
        #expect(all.output.contains("0 users"), "only those that were never bound: \(all)")
        #expect(try await control.run("credentials", "bind", "anna").code == 0)
        #expect(try await bindings(control) == ["anna": "set"])
        let sound = try await control.run("credentials", "check")
        #expect(sound.code == 0 && sound.output.contains("of 1 user are bound"), "\(sound)")
        #expect(try await control.run("credentials", "bind", "anna").output.contains("bound already"))
        #expect(try await control.run("credentials", "bind", "nobody").code == 1)
        #expect(try await control.run("credentials", "bind").code == 64)
        #expect(try await control.run("credentials", "bind", "anna", "--all").code == 64)
    }

    @Test("Who was never bound is named, twenty of them to people")
    func neverBound() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        let none = try await control.run("credentials", "check")
        #expect(!none.output.contains("never bound"), "\(none)")
        try await storeUnbound("bob", control)
        let one = try await control.run("credentials", "check")
        #expect(one.code == 0 && one.output.contains("The credentials of 1 user were never bound: bob."), "\(one)")
        #expect(one.output.contains("run: syncctl credentials bind bob"), "\(one)")
        for number in 10..<34 { try await storeUnbound("user-\(number)", control) }
        let many = try await control.run("credentials", "check")
        #expect(many.output.contains("of 25 users were never bound: bob, user-10, "), "\(many)")
        #expect(many.output.contains("user-28 and 5 others, which --json lists."), "\(many)")
        struct Check: Decodable {
            var neverBound: [String]
        }
        let check: Check = try await control.run("credentials", "check", "--json").json()
        #expect(check.neverBound.count == 25 && check.neverBound.last == "user-33")
    }

    @Test("A binding that is taken away by hand is no row that never had one")
    func takenAway() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        try await control.execute("UPDATE credentials SET binding = NULL, binding_cleared_at = NULL")
        #expect(try await bindings(control) == ["anna": "changed"])
    }

    @Test(
        "A row that was bound and is deleted and inserted anew, or given another name, was changed",
        arguments: [
            "DELETE FROM credentials WHERE user_id = 'anna'",
            "UPDATE credentials SET user_id = 'zoe-' || gen_random_uuid() WHERE user_id = 'anna'",
            "TRUNCATE credentials",
        ]
    )
    func insertedAnew(_ change: String) async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        for _ in 1...2 {
            try await control.database.pool.withConnection { try await $0.runScript(change) }
            try await storeUnbound("anna", control)
            #expect(try await bindings(control)["anna"] == "changed", "\(change)")
        }
        let check = try await control.run("credentials", "check")
        #expect(check.code == 1 && check.output.contains("changed the credentials of anna"), "\(check)")
        #expect(!check.output.contains("--all"), "\(check)")
        #expect(try await control.run("credentials", "bind", "--all").output.contains("0 users"))
        #expect(try await bindings(control)["anna"] == "changed")
        // What syncctl stores is bound, whatever was there before.
        #expect(try await control.run("credentials", "delete", "anna").code == 0)
        try await control.storeCredentials("anna")
        #expect(try await bindings(control)["anna"] == "set")
        try await storeUnbound("bob", control)
        #expect(try await bindings(control)["bob"] == "none")
    }

    @Test("Users of an adopted installation are bound at once; copied tokens are not")
    func adopted() async throws {
        let control = try ControlFixture()
        for user in ["anna", "bob", "cyd"] { try await storeUnbound(user, control) }
        try await control.execute(
            """
            UPDATE credentials SET notion_api_token = (SELECT notion_api_token FROM credentials WHERE user_id = 'bob')
            WHERE user_id = 'anna'
            """
        )
        #expect(try await bindings(control) == ["anna": "none", "bob": "none", "cyd": "none"])
        let all = try await control.run("credentials", "bind", "--all")
        #expect(all.code == 1 && all.output.contains("1 user."), "\(all)")
        #expect(all.errors.contains("copied from the row of bob"), "\(all)")
        #expect(
            all.errors.contains("with: syncctl credentials set anna; and with: syncctl credentials set bob"),
            "\(all)"
        )
        #expect(try await bindings(control) == ["anna": "none", "bob": "none", "cyd": "set"])
    }

    @Test("A new key renews the bindings that were right, and makes none right that was not")
    func rotation() async throws {
        let control = try ControlFixture()
        for user in ["anna", "bob", "dora"] { try await control.storeCredentials(user) }
        try await storeUnbound("cyd", control)
        try await control.execute(
            "UPDATE credentials SET binding = (SELECT binding FROM credentials WHERE user_id = 'anna') WHERE user_id = 'bob'"
        )
        try await control.execute("UPDATE credentials SET notion_database_id = 'other' WHERE user_id = 'dora'")
        let new = try FernetKey.generate().base64
        let both = ["AWS_ENCRYPTION_KEY": "\(new),\(control.environment["AWS_ENCRYPTION_KEY"] ?? "")"]
        let done = try await control.run("credentials", "reencrypt", environment: both)
        #expect(done.code == 0 && done.output.contains("4 users"), "\(done)")
        for user in ["bob", "dora"] { #expect(done.output.contains("changed the credentials of \(user)"), "\(done)") }
        let statuses = try await bindings(control)
        #expect(statuses == ["anna": "set", "bob": "changed", "cyd": "none", "dora": "changed"])
        let store = CredentialStore(pool: control.database.pool, keys: try FernetKeyRing(new))
        #expect(try await store.load(UserID("anna"), requiresBinding: true).binding == .valid)
    }

    @Test("A binding holds for one user, one pair of tokens and one database")
    func copies() async throws {
        let control = try ControlFixture()
        for user in ["anna", "bob"] { try await control.storeCredentials(user) }
        let keys = try FernetKeyRing(control.environment["AWS_ENCRYPTION_KEY"] ?? "")
        let store = CredentialStore(pool: control.database.pool, keys: keys)
        let columns = ["google_oauth_token", "notion_api_token", "binding"]
        for number in 1...7 {
            let copied = columns.enumerated().filter { number & (1 << $0.offset) != 0 }.map {
                "\($0.element) = b.\($0.element)"
            }
            try await control.storeCredentials("anna")
            let connection = try await control.database.connect()
            try await connection.runScript(
                """
                UPDATE credentials AS a SET \(copied.joined(separator: ", ")) FROM credentials AS b
                WHERE a.user_id = 'anna' AND b.user_id = 'bob'
                """
            )
            await connection.close()
            let loaded = try await store.load(UserID("anna"))
            #expect(loaded.binding == (number < 4 ? .cleared : .wrong), "\(copied)")
            let error = await #expect(throws: NoteSyncError.self) {
                try await store.load(UserID("anna"), requiresBinding: true)
            }
            #expect(error?.code == .unboundCredentials, "\(copied)")
            #expect(error?.message.contains("syncctl credentials bind anna") == true)
        }
    }

    @Test("A copy is found however it is written, also once it has been encrypted anew")
    func copiesInDisguise() async throws {
        let control = try ControlFixture()
        let key = control.environment["AWS_ENCRYPTION_KEY"] ?? ""
        try await control.storeCredentials("bob")
        try await control.execute(
            """
            INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
            SELECT u, google_oauth_token || E'\\n', notion_api_token || E'\\n', 'd1' FROM credentials, unnest('{anna,cyd}'::text[]) AS u
            """
        )
        // Encrypted anew, the bytes are others.
        let secrets = StoredSecret(keyRing: try FernetKeyRing(key))
        try await control.execute("DELETE FROM credentials WHERE user_id = 'bob'")
        try await control.storeCredentials("bob")
        let row = try #require(
            try await control.database.pool.query("SELECT google_oauth_token FROM credentials WHERE user_id = 'bob'")
                .first
        )
        let google = try secrets.decrypt(try row.decode("google_oauth_token"))
        try await control.execute(
            "UPDATE credentials SET google_oauth_token = \(try secrets.encrypt(google)) WHERE user_id = 'cyd'"
        )
        let all = try await control.run("credentials", "bind", "--all")
        #expect(all.code == 1 && all.output.contains("0 users"), "\(all)")
        #expect(try await bindings(control) == ["anna": "none", "bob": "set", "cyd": "none"])
    }

    @Test(
        "What is advised is taken: it names the database where that may have been changed, and the key before anything else"
    )
    func advice() async throws {
        let control = try ControlFixture()
        for user in ["anna", "bob"] { try await control.storeCredentials(user) }
        try await control.execute("UPDATE credentials SET notion_database_id = 'd2' WHERE user_id = 'anna'")
        func message(_ user: String, _ key: String? = nil) async throws -> String {
            let keys = try FernetKeyRing(key ?? control.environment["AWS_ENCRYPTION_KEY"] ?? "")
            let store = CredentialStore(pool: control.database.pool, keys: keys)
            do {
                _ = try await store.load(UserID(user), requiresBinding: true)
                return ""
            } catch let error as NoteSyncError {
                return error.message
            }
        }
        let changed = try await message("anna")
        #expect(changed.hasSuffix("with: syncctl credentials set anna --database-id ID"), "\(changed)")
        try await control.execute("UPDATE credentials SET notion_api_token = google_oauth_token WHERE user_id = 'bob'")
        let set = try await control.run("credentials", "set", "anna", "--database-id", "d2", input: "g\nn\n")
        #expect(set.code == 0, "\(set)")
        let other = try FernetKey.generate().base64
        let undecryptable = try await message("anna", other)
        #expect(
            undecryptable.hasSuffix(
                "If you have the key they were stored with, add it to AWS_ENCRYPTION_KEY, after a comma. If nobody has it any more, "
                    + "store them again with: syncctl credentials set anna"
            ),
            "\(undecryptable)"
        )
        #expect(undecryptable.components(separatedBy: "the key").count == 2, "\(undecryptable)")
        #expect(try await message("bob", other).hasSuffix("credentials set bob --database-id ID"))
    }

    @Test("Where something else has changed them, the database is not bound unasked")
    func changedDatabase() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        try await control.execute("UPDATE credentials SET notion_database_id = 'mallory'")
        let refused = try await control.run("credentials", "set", "anna", input: "g\nn\n")
        #expect(refused.code == 64 && refused.errors.contains("--database-id"), "\(refused)")
        #expect(try await bindings(control) == ["anna": "changed"])
        let named = try await control.run("credentials", "set", "anna", "--database-id", "d1", input: "g\nn\n")
        #expect(named.code == 0, "\(named)")
        #expect(try await bindings(control) == ["anna": "set"])
    }
}
