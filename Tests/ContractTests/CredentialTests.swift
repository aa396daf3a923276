import Fernet
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(5)))
struct CredentialTests {
    @Test func withoutCredentialsTheJobFailsAtOnceAndAlerts() async throws {
        try await withInstallation { sync in
            let job = try await sync.sync(user: "nobody")
            #expect(job.status == .failed)
            #expect(job.attempt == 1)
            #expect(job.errorMessage?.hasPrefix("There are no credentials for user nobody. Store them with:") == true)
            #expect(sync.alerts.lines.count == 1)
            #expect(sync.calls == .init())
        }
    }

    @Test func aWrongKeyFailsTheJobAtOnceAndNamesTheUserAndNoSecret() async throws {
        try await withInstallation { sync in
            let other = StoredSecret(keyRing: FernetKeyRing(try FernetKey.generate()))
            try await sync.pool.execute(
                "UPDATE credentials SET notion_api_token = \(try other.encrypt(SyncInstallation.notionToken))"
            )
            let job = try await sync.sync()
            #expect(job.status == .failed)
            let error = try #require(job.errorMessage)
            #expect(error.contains("ada") && error.contains("notion_api_token") && error.contains("AWS_ENCRYPTION_KEY"))
            #expect(!error.contains(SyncInstallation.notionToken))
            #expect(!error.contains("gAAAAA"))
            #expect(sync.alerts.lines.count == 1)
            #expect(sync.calls == .init())
        }
    }

    @Test(arguments: ["no base64 at all!", "Z0FBQUFBQg==", "AAAA"])
    func whatIsNoTokenFailsTheJob(_ stored: String) async throws {
        try await withInstallation { sync in
            try await sync.pool.execute("UPDATE credentials SET google_oauth_token = \(stored)")
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(job.errorMessage?.contains("google_oauth_token") == true)
        }
    }

    @Test func lineEndsInTheStoredTextDoNotMatter() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            try await sync.pool.execute(
                """
                UPDATE credentials
                SET notion_api_token = regexp_replace(notion_api_token, '(.{60})', E'\\\\1\\n', 'g') || E'\\r\\n'
                """
            )
            #expect(try await sync.sync().processedNotes == 1)
        }
    }

    @Test func allKeysAreTriedAndTheFirstEncrypts() async throws {
        var options = SyncInstallation.Options()
        let first = try FernetKey.generate()
        options.keys = FernetKeyRing(first, others: [SyncInstallation.keyInUse])
        try await withInstallation(options) { sync in
            sync.notes(1)
            let old = StoredSecret(keyRing: FernetKeyRing(SyncInstallation.keyInUse))
            try await sync.pool.execute(
                "UPDATE credentials SET notion_api_token = \(try old.encrypt(SyncInstallation.notionToken))"
            )
            #expect(try await sync.sync().processedNotes == 1)
            let row = try #require(try await sync.pool.query("SELECT google_oauth_token FROM credentials").first)
            let new = StoredSecret(keyRing: FernetKeyRing(first))
            #expect(try new.decrypt(try row.decode("google_oauth_token")) == SyncInstallation.googleToken)
        }
    }

    @Test func anEmptyTokenIsStoredEmptyAndRefusedByThePeer() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            try await sync.storeCredentials(notion: "")
            let row = try #require(try await sync.pool.query("SELECT notion_api_token FROM credentials").first)
            #expect(try row.decode("notion_api_token", as: String.self).isEmpty)
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(job.errorMessage?.contains("Notion does not accept the token") == true)
        }
    }
}
