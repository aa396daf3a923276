import Fernet
import Foundation
import JobQueue
import NoteSync
import TestSupport
import Testing

extension IntegrationTests {
    @Suite struct GeneratedKeyTests {
        @Test func aKeyIsMadeAnnouncedAndFoundAgain() async throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)").path
            try await Installation.with(notes: 2) { installation in
                let settings = ["AWS_ENCRYPTION_KEY": "", "SYNC_STATE_DIR": folder]
                let first = try await installation.startWorker("first", settings)
                let file = "\(folder)/encryption.key"
                let announcement = try await first.waitForLine(containing: file)
                #expect(announcement.lowercased().contains("warning"))
                #expect(announcement.contains("AWS_ENCRYPTION_KEY is not set"))
                let attributes = try FileManager.default.attributesOfItem(atPath: file)
                #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
                let key = try String(contentsOfFile: file, encoding: .utf8)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
                #expect(!first.transcript.contains(key))
                try await first.stop()

                // Stored with the generated key, read by the next process.
                let store = CredentialStore(pool: installation.pool, keys: try FernetKeyRing(key))
                let credentials = Credentials(googleToken: "google", notionToken: "ntn", databaseID: "db-ada")
                try await store.store(credentials, of: UserID("ada"))
                let second = try await installation.startWorker("second", settings)
                let job = try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(job.status == .completed)
                #expect(!second.transcript.contains("is not set"))
                #expect(!second.transcript.contains(key))
            }
            try FileManager.default.removeItem(atPath: folder)
        }
    }
}
