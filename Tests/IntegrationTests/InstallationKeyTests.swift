import Fernet
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// The key of the hashes of notes.
    @Suite struct InstallationKeyTests {
        @Test func workersWithTheirKeysInAnotherOrderShareIt() async throws {
            try await Installation.with(notes: 4) { installation in
                let other = try FernetKey.generate().base64
                let first = try await installation.startWorker(
                    "first",
                    ["AWS_ENCRYPTION_KEY": "\(installation.key.base64),\(other)", "SYNC_WORKER_CONCURRENCY": "1"]
                )
                try await installation.startWorker(
                    "second",
                    ["AWS_ENCRYPTION_KEY": "\(other),\(installation.key.base64)", "SYNC_WORKER_CONCURRENCY": "1"]
                )
                let users = ["ada", "bob", "cyd", "dora"]
                for user in users { try await installation.addUser(user) }
                for user in users { try await installation.insertJob(user) }
                try await installation.waitForAllJobs()
                #expect(try await installation.count("SELECT count(*) FROM sync_installation_keys") == 1)
                #expect(
                    try await installation.count("SELECT count(DISTINCT substr(content_hash, 1, 11)) FROM sync_state")
                        == 1
                )
                // Each finds what the other wrote to be up to date.
                let writes = try await installation.peers.requests().writes
                try await first.stop()
                for user in users { try await installation.insertJob(user, full: true) }
                try await installation.waitForAllJobs()
                #expect(try await installation.peers.requests().writes == writes)
            }
        }

        @Test func aReplacedKeyCausesNoWrite() async throws {
            try await Installation.with(notes: 5) { installation in
                for user in ["ada", "bob"] { try await installation.addUser(user) }
                let old = try await installation.startWorker("old")
                for user in ["ada", "bob"] { try await installation.insertJob(user) }
                try await installation.waitForAllJobs()
                try await old.stop()
                let writes = try await installation.peers.requests().writes
                let hashes = try await self.hashes(installation)
                let new = try FernetKey.generate().base64
                let control = try ProgramRun.start(
                    "syncctl",
                    ["credentials", "reencrypt"],
                    environment: [
                        "DATABASE_URL": installation.database.connectionString,
                        "AWS_ENCRYPTION_KEY": "\(new),\(installation.key.base64)",
                    ]
                )
                #expect(try await control.waitForExit() == .code(0), "\(control.transcript)")
                try await installation.startWorker("new", ["AWS_ENCRYPTION_KEY": new])
                for user in ["ada", "bob"] {
                    let job = try await installation.waitForJob(try await installation.insertJob(user, full: true))
                    #expect(job.status == .completed && job.processedNotes == 5, "\(job)")
                }
                #expect(try await installation.peers.requests().writes == writes)
                #expect(try await self.hashes(installation) == hashes)
                // A new time and the same text is no change: the hash still counts.
                let note = try #require(try await installation.peers.notes().first)
                try await installation.pool.execute(
                    "UPDATE sync_state SET keep_modified_at = '2001-01-01', hash_modified_at = '2001-01-01' WHERE keep_note_id = \(note.id)"
                )
                try await installation.waitForJob(try await installation.insertJob("ada", full: true))
                #expect(try await installation.peers.requests().writes == writes)
            }
        }

        /// A dump has every hash and no key: what a note says can't be tried out.
        @Test func noHashIsOfTheContentAlone() async throws {
            try await Installation.with(notes: 0) { installation in
                try await installation.peers.createNote(title: "PIN", text: "4711")
                for user in ["ada", "bob"] { try await installation.addUser(user) }
                try await installation.startWorker("worker")
                let job = try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(job.processedNotes == 1)
                let texts = ["4711", "PIN", "PIN4711", "PIN\n4711", "6:titled3:PIN4:47111:0", "8:untitled0:4:47111:0"]
                let guesses = try await installation.count(
                    """
                    SELECT count(*) FROM sync_state AS s, unnest(\(texts)) AS t
                    WHERE right(s.content_hash, 64) = encode(sha256(convert_to(t, 'UTF8')), 'hex')
                        OR right(s.content_hash, 64) IN (
                            SELECT encode(sha256(convert_to(k.value || t, 'UTF8')), 'hex') FROM sync_installation_keys AS k)
                    """
                )
                #expect(guesses == 0)
                let key = try #require(
                    try await installation.pool.query("SELECT value FROM sync_installation_keys").first
                ).decode("value", as: String.self)
                let opened = try StoredSecret(keyRing: FernetKeyRing(installation.key)).decrypt(key)
                #expect(try FernetKey(base64: opened).base64 == opened, "32 random bytes, stored encrypted")
                #expect(throws: FernetError.self) {
                    try StoredSecret(keyRing: FernetKeyRing(FernetKey.generate())).decrypt(key)
                }
            }
        }

        @Test func aLostKeyIsNotMadeAnewUnasked() async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.addUser("ada")
                let before = try await installation.startWorker("before")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                try await before.stop()
                let writes = try await installation.peers.requests().writes
                try await installation.pool.execute("DELETE FROM sync_installation_keys")
                let after = try await installation.startWorker("after")
                #expect(after.standardOutput.contains { $0.contains("No user can be synchronized: The installation") })
                let check = try ProgramRun.start(
                    "syncctl",
                    ["credentials", "check"],
                    environment: [
                        "DATABASE_URL": installation.database.connectionString,
                        "AWS_ENCRYPTION_KEY": installation.key.base64,
                    ]
                )
                #expect(try await check.waitForExit() == .code(1), "\(check.transcript)")
                #expect(check.transcript.contains("content_hash is missing"), "\(check.transcript)")
                let job = try await installation.insertJob("ada", full: true)
                try await installation.waitForJob(job, "the job to be postponed") { $0.snoozes > 0 }
                #expect(try await installation.job(job).lastError?.contains("forget-keys") == true)
                #expect(try await installation.count("SELECT count(*) FROM sync_installation_keys") == 0)
                let control = try ProgramRun.start(
                    "syncctl",
                    ["credentials", "forget-keys", "--yes"],
                    environment: [
                        "DATABASE_URL": installation.database.connectionString,
                        "AWS_ENCRYPTION_KEY": installation.key.base64,
                    ]
                )
                #expect(try await control.waitForExit() == .code(0), "\(control.transcript)")
                #expect(!control.transcript.contains("credentials set"), "\(control.transcript)")
                try await installation.pool.execute(
                    "UPDATE sync_jobs SET run_at = now() WHERE job_id = \(job.rawValue)"
                )
                #expect(try await installation.waitForJob(job).status == .completed)
                #expect(try await installation.peers.requests().writes == writes)
            }
        }

        /// As after a failover to a server that had not received it.
        @Test func aLostKeyIsBroughtBackByAWorkerThatHasIt() async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.addUser("ada")
                try await installation.startWorker("worker")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                let before = try await self.hashes(installation)
                try await installation.pool.execute("DELETE FROM sync_installation_keys")
                let job = try await installation.waitForJob(try await installation.insertJob("ada", full: true))
                #expect(job.status == .completed)
                #expect(try await installation.count("SELECT count(*) FROM sync_installation_keys") == 1)
                #expect(try await self.hashes(installation) == before)
            }
        }

        /// A worker that was there before uses the new one from its next job on: else it and others would take each
        /// other's hashes for none, and write what has only a new time.
        @Test func aReplacedKeyIsUsedByWorkersThatAreThere() async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.addUser("ada")
                try await installation.startWorker("worker")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                let before = try await self.hashes(installation)
                let other = StoredSecret(keyRing: FernetKeyRing(installation.key))
                try await installation.pool.execute(
                    "UPDATE sync_installation_keys SET value = \(try other.encrypt(FernetKey.generate().base64))"
                )
                try await installation.waitForJob(try await installation.insertJob("ada", full: true))
                let after = try await self.hashes(installation)
                #expect(after.count == 2 && Set(after).isDisjoint(with: before))
            }
        }

        private func hashes(_ installation: Installation) async throws -> [String] {
            try await installation.pool.query(
                "SELECT user_id || ' ' || keep_note_id || ' ' || content_hash AS text FROM sync_state ORDER BY 1"
            ).map { try $0.decode("text") }
        }
    }
}
