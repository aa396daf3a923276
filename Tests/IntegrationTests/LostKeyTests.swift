import Fernet
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// A replica that was left out when the key was replaced.
    @Suite struct LostKeyTests {
        @Test(arguments: [true, false])
        func aWorkerWhoseKeysOpenNothingAnyMoreHandsItsJobsBackAndEnds(hasSynced: Bool) async throws {
            try await Installation.with(notes: 2) { installation in
                let users = ["ada", "bob", "cyd"]
                for user in users { try await installation.addUser(user) }
                // Whose keys are not tried before a job comes.
                let left = try await installation.startWorker("left-out", ["SYNC_LEASE": "60s"])
                // With an installation key, and before there is one.
                if hasSynced { try await installation.waitForJob(try await installation.insertJob("ada")) }
                let new = try FernetKey.generate().base64
                let control = try await run(
                    ["credentials", "reencrypt"],
                    installation,
                    key: "\(new),\(installation.key.base64)"
                )
                #expect(control.exit == .code(0), "\(control.transcript)")
                #expect(control.transcript.contains("left-out") && control.transcript.contains("need the new key"))
                var jobs: [JobID] = []
                for user in users { jobs.append(try await installation.insertJob(user)) }
                #expect(try await left.waitForExit() == .code(78), "\(left.transcript)")
                #expect(left.standardError.count == 1, "\(left.transcript)")
                #expect(left.standardError.first?.contains("keys no longer open anything that is stored") == true)
                for id in jobs {
                    let job = try await installation.job(id)
                    #expect(job.status == .queued && job.attempt == 0, "\(job)")
                }
                #expect(
                    try await installation.count(
                        """
                        SELECT count(*) FROM sync_logs
                        WHERE message LIKE 'Handed back: its worker''s keys open nothing of what is stored%'
                        """
                    ) > 0
                )
                try await installation.startWorker("right", ["AWS_ENCRYPTION_KEY": new])
                for id in jobs { #expect(try await installation.waitForJob(id).status == .completed) }
            }
        }

        @Test func aWorkerThatHasNothingToDoNoticesToo() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                let left = try await installation.startWorker("left-out")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                let new = try FernetKey.generate().base64
                let control = try await run(
                    ["credentials", "reencrypt"],
                    installation,
                    key: "\(new),\(installation.key.base64)"
                )
                #expect(control.exit == .code(0), "\(control.transcript)")
                #expect(try await left.waitForExit() == .code(78), "\(left.transcript)")
                #expect(left.standardError.count == 1, "\(left.transcript)")
                #expect(left.standardError.first?.contains("keys no longer open anything that is stored") == true)
            }
        }

        /// The keys open the others': it is this user's fault, and everybody else is synced.
        @Test func oneUsersCredentialsUnderAnotherKeyFailThatUserAlone() async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.addUser("ada")
                let stray = CredentialStore(pool: installation.pool, keys: FernetKeyRing(try FernetKey.generate()))
                let credentials = Credentials(googleToken: "g", notionToken: "n", databaseID: "d")
                try await stray.store(credentials, of: UserID("aaa"))
                let worker = try await installation.startWorker("worker")
                let failed = try await installation.waitForJob(try await installation.insertJob("aaa"))
                #expect(failed.status == .failed && failed.errorMessage?.contains("user aaa") == true)
                #expect(try await installation.waitForJob(try await installation.insertJob("ada")).status == .completed)
                #expect(worker.exit == nil)
            }
        }

        private func run(_ arguments: [String], _ installation: Installation, key: String) async throws -> ProgramRun {
            let run = try ProgramRun.start(
                "syncctl",
                arguments,
                environment: ["DATABASE_URL": installation.database.connectionString, "AWS_ENCRYPTION_KEY": key]
            )
            try await run.waitForExit()
            return run
        }
    }
}
