import Fernet
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Faults a running worker meets: what it says, and that nothing is lost.
    @Suite struct PeerFaultTests {
        @Test func aUserWithoutCredentials() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.startWorker("worker")
                let job = try await installation.waitForJob(try await installation.insertJob("nobody"))
                #expect(job.status == .failed)
                #expect(job.attempt == 1, "another attempt can't help")
                let message = try #require(job.errorMessage)
                #expect(message.contains("user nobody"))
                #expect(message.contains("syncctl credentials set nobody"))
                #expect(try await errorLogs(of: job.id, installation) == 1)
            }
        }

        @Test func theWrongKey() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser(
                    "ada",
                    googleToken: "google-secret-one",
                    notionToken: "notion-secret-two"
                )
                let id = try await installation.insertJob("ada")
                let other = try FernetKey.generate().base64
                let folder = FileManager.default.temporaryDirectory.appending(path: "state-\(UUID().uuidString)").path
                for settings in [["AWS_ENCRYPTION_KEY": other], ["AWS_ENCRYPTION_KEY": "", "SYNC_STATE_DIR": folder]] {
                    let worker = try installation.launchWorker("worker", settings)
                    #expect(try await worker.waitForExit() == .code(78))
                    #expect(worker.standardError.count == 1, "\(worker.transcript)")
                    #expect(worker.standardError.first?.contains("AWS_ENCRYPTION_KEY") == true)
                    for secret in [other, installation.key.base64, "google-secret-one", "notion-secret-two"] {
                        #expect(!worker.transcript.contains(secret))
                    }
                }
                #expect(!FileManager.default.fileExists(atPath: folder + "/encryption.key"), "no key of its own")
                #expect(try await installation.job(id).status == .queued, "nobody's job is spent")
                #expect(try await installation.job(id).attempt == 0)

                // With both keys, the new one first, it goes on.
                try await installation.startWorker(
                    "worker",
                    ["AWS_ENCRYPTION_KEY": "\(other),\(installation.key.base64)"]
                )
                #expect(try await installation.waitForJob(id).status == .completed)
            }
        }

        @Test func oneUserWhoseCredentialsCannotBeOpened() async throws {
            try await Installation.with(notes: 1) { installation in
                for user in ["ada", "bob"] { try await installation.addUser(user) }
                let store = CredentialStore(pool: installation.pool, keys: FernetKeyRing(try FernetKey.generate()))
                let credentials = Credentials(
                    googleToken: "google-secret",
                    notionToken: "ntn_secret-two",
                    databaseID: "d"
                )
                try await store.store(credentials, of: UserID("bob"))
                try await installation.startWorker("worker")
                let job = try await installation.waitForJob(try await installation.insertJob("bob"))
                #expect(job.status == .failed)
                let message = try #require(job.errorMessage)
                #expect(message.contains("user bob") && message.contains("AWS_ENCRYPTION_KEY"))
                #expect(!message.contains("[redacted]"), "\(message)")
                #expect(try await installation.waitForJob(try await installation.insertJob("ada")).status == .completed)
            }
        }

        @Test func peersThatAreNotThereYet() async throws {
            let notes = 3
            try await Installation.with(notes: notes) { installation in
                try await installation.addUser("ada")
                await installation.peers.program.kill()
                let settings = ["SYNC_JOB_BACKOFF_BASE": "300ms", "SYNC_JOB_BACKOFF_CAP": "1500ms"]
                try await installation.startWorker("worker", settings)
                try await installation.pool.execute("ALTER TABLE sync_jobs ALTER COLUMN max_attempts SET DEFAULT 100")
                let id = try await installation.insertJob("ada")
                let waiting = try await installation.waitForJob(id, "an attempt") {
                    $0.status == .queued && $0.attempt > 0
                }
                let message = try #require(waiting.lastError)
                #expect(message.contains("KEEP_EXTRACTOR_URL"), "\(message)")
                #expect(waiting.errorMessage == nil, "it has not failed for good")

                let peers = installation.peers
                let ports = try [peers.keepURL, peers.writerURL].map { try #require(URL(string: $0)?.port) }
                let revived = try await SimulatedPeers.start(
                    notes: notes,
                    arguments: ["--keep-port", "\(ports[0])", "--writer-port", "\(ports[1])"]
                )
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                #expect(try await revived.pages(of: "ada").count == notes)
                await revived.program.kill()
            }
        }

        @Test func aWriterThatIsNotThereForAWhile() async throws {
            let notes = 3
            try await Installation.with(notes: notes) { installation in
                try await installation.addUser("ada")
                // An address of the writer's where nobody listens; the job is retried until its attempts are spent.
                let settings = ["NOTION_WRITER_URL": "http://127.0.0.1:9", "SYNC_NOTE_ATTEMPTS": "2"]
                let worker = try await installation.startWorker("worker", settings)
                let id = try await installation.insertJob("ada")
                let failed = try await installation.waitForJob(id)
                #expect(failed.status == .failed)
                #expect(failed.attempt == failed.maximumAttempts)
                let message = try #require(failed.errorMessage)
                #expect(message.contains("NOTION_WRITER_URL"))
                #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0, "nothing was ever sent")
                try await worker.stop()
                try await installation.startWorker("worker")
                try await installation.setStatus("queued", of: id)
                #expect(try await installation.waitForJob(id).status == .completed)
                #expect(try await installation.peers.pages(of: "ada").count == notes)
            }
        }

        @Test(arguments: [
            "malformed_json", "truncated_json", "truncated_body", "wrong_types", "missing_fields", "reset_before",
            "close_after",
        ])
        func malformedAnswersOfTheExtractorAreRetried(_ kind: String) async throws {
            try await Installation.with(notes: 4) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setFaults(
                    """
                    {"peer":"extractor","operation":"auth","times":1,"fault":{"kind":"\(kind)"}},
                    {"peer":"extractor","operation":"notes","times":1,"fault":{"kind":"\(kind)"}}
                    """
                )
                try await installation.startWorker("worker")
                let job = try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(job.status == .completed)
                // A note without fields is that note's fault: the fetch itself can be read, and the next one repairs
                // it.
                let isReadable = kind == "missing_fields" || kind == "wrong_types"
                #expect(isReadable || job.attempt >= 2)
                #expect(isReadable || job.lastError?.contains("Keep Extractor") == true)
                try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(try await installation.peers.pages(of: "ada").count == 4)
            }
        }

        @Test(arguments: ["malformed_json", "truncated_body", "wrong_types", "missing_fields", "reset_after"])
        func malformedAnswersOfTheWriterDoubleNoPage(_ kind: String) async throws {
            try await Installation.with(notes: 6, simulator: ["--idempotency", "honour"]) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","times":3,"fault":{"kind":"\#(kind)"}}"#
                )
                try await installation.startWorker("worker", ["SYNC_NOTE_ATTEMPTS": "4"])
                let job = try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(job.status == .completed)
                #expect(job.failedNotes == 0)
                #expect(try await installation.peers.pages(of: "ada").count == 6)
                #expect(try await installation.peers.requests().idempotentReplays == 3)
                let unknown: Int = try await installation.count(
                    "SELECT count(*) FROM sync_logs WHERE level = 'WARNING' AND message LIKE 'Unknown create:%'"
                )
                #expect(unknown == 3)
            }
        }

        private func errorLogs(of job: JobID, _ installation: Installation) async throws -> Int {
            try await installation.count(
                "SELECT count(*) FROM sync_logs WHERE job_id = \(job.rawValue) AND level = 'ERROR'"
            )
        }
    }
}
