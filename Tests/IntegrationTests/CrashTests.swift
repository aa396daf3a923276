import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// A worker that dies, or is paused so long that it must be taken for dead.
    @Suite struct CrashTests {
        @Test func aKilledWorkerLosesNoJob() async throws {
            let notes = 20
            try await Installation.with(notes: notes, simulator: ["--idempotency", "honour"]) { installation in
                let users = ["ada", "bob", "cyd"]
                for user in users { try await installation.addUser(user) }
                try await installation.peers.setLatency(.milliseconds(100))
                let history = try await JobHistory.begin(in: installation.pool)
                let victim = try await installation.startWorker("victim")
                var jobs: [JobID] = []
                for user in users { jobs.append(try await installation.insertJob(user)) }
                try await installation.waitForWrites(15)
                // At once, while all three are under way.
                await victim.kill()
                try await installation.startWorker("other")
                try await installation.waitForAllJobs(within: .seconds(60))

                for id in jobs {
                    let job = try await installation.job(id)
                    #expect(job.status == .completed)
                    #expect(job.crashes == 1)
                    #expect(job.attempt == 1, "a crash spends no attempt")
                    #expect(job.processedNotes == notes)
                    #expect(job.lastError?.contains("victim stopped answering") == true)
                }
                let runs = try await history.runs()
                #expect(runs.count { $0.worker == "victim" && $0.result == "queued" } == users.count)
                #expect(runs.count { $0.worker == "other" && $0.result == "completed" } == users.count)
                #expect(JobHistory.overlaps(runs).isEmpty)
                for user in users {
                    #expect(try await installation.peers.pages(of: user).count == notes, "pages lost or doubled")
                }
                #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0)
            }
        }

        /// With a writer that knows no idempotency key, only the creates that were in flight can be doubled: one per
        /// slot.
        @Test func atMostOneCreatePerSlotIsUnknownAfterACrash() async throws {
            let (notes, slots) = (30, 3)
            try await Installation.with(notes: notes) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(100))
                let victim = try await installation.startWorker("victim", ["SYNC_NOTE_CONCURRENCY": "\(slots)"])
                let job = try await installation.insertJob("ada")
                try await installation.waitForWrites(9)
                await victim.kill()
                let open = try await installation.count("SELECT count(*) FROM sync_intents")
                #expect(open <= slots)
                try await installation.startWorker("other")
                try await installation.waitForJob(job)
                #expect(try await installation.peers.pages(of: "ada").count <= notes + open)
                let warnings: Int = try await installation.count(
                    "SELECT count(*) FROM sync_logs WHERE level = 'WARNING' AND message LIKE 'Unknown create:%'"
                )
                #expect(warnings == open)
            }
        }

        @Test func aJobThatKillsItsWorkersFailsInTheEnd() async throws {
            try await Installation.with(notes: 5) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setFaults(
                    #"{"peer":"extractor","operation":"notes","fault":{"kind":"hang","seconds":60}}"#
                )
                let job = try await installation.insertJob("ada")
                // As after three crashes; a fourth is one too many.
                try await installation.pool.execute("UPDATE sync_jobs SET crashes = max_crashes")
                let victim = try await installation.startWorker("victim")
                try await installation.waitForJob(job, "the claim") { $0.status == .running }
                await victim.kill()
                try await installation.startWorker("other")
                let failed = try await installation.waitForJob(job)
                #expect(failed.status == .failed)
                #expect(failed.crashes == 4)
                #expect(failed.errorMessage?.contains("4 workers died") == true)
            }
        }

        @Test func aPausedWorkerWritesNothingAfterItsLease() async throws {
            let notes = 40
            try await Installation.with(notes: notes, simulator: ["--idempotency", "honour"]) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(150))
                let history = try await JobHistory.begin(in: installation.pool)
                let paused = try await installation.startWorker("paused", ["SYNC_NOTE_CONCURRENCY": "2"])
                let id = try await installation.insertJob("ada")
                try await installation.waitForWrites(8)
                paused.send(signal: SIGSTOP)
                try await installation.startWorker("other", ["SYNC_NOTE_CONCURRENCY": "2"])
                try await installation.waitForJob(id, "the rescue") { $0.status == .running && $0.worker == "other" }
                let taken = try await now(installation)

                // Both are awake now, and one thinks of the job as its own.
                paused.send(signal: SIGCONT)
                try await paused.waitForLine(containing: "Job was taken from this worker")
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                #expect(job.crashes == 1)
                #expect(job.processedNotes == notes)
                // It may say what became of the requests it had sent, and nothing else.
                let late = Set(try await history.writes(by: "paused", after: taken).map { $0.prefix { $0 != " " } })
                #expect(late.isSubset(of: ["sync_intents", "sync_state", "sync_logs"]), "\(late)")
                #expect(JobHistory.overlaps(try await history.runs()).isEmpty)
                #expect(try await installation.peers.pages(of: "ada").count == notes)
                #expect(try await installation.peers.requests().maxConcurrentPerTitle == 1)

                // And it is as good as new.
                try await installation.addUser("bob")
                try await installation.insertJob("bob")
                try await installation.waitForAllJobs()
                #expect(paused.exit == nil)
            }
        }

        /// The worker stops while the transaction that holds the lock of its job's row is under way. All its statements
        /// are with the server by then.
        @Test func aWorkerPausedInATransactionDoesNotKeepItsJob() async throws {
            try await Installation.with(notes: 10, simulator: ["--idempotency", "honour"]) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(50))
                let paused = try await installation.startWorker("paused")
                let blocker = try await installation.database.connect()
                try await blocker.runScript("BEGIN; LOCK TABLE sync_state IN EXCLUSIVE MODE")
                let id = try await installation.insertJob("ada")
                try await eventually(within: .seconds(10), "a write that waits for the lock") {
                    try await sessions("wait_event_type = 'Lock'", installation) == 1
                }
                paused.send(signal: SIGSTOP)
                await blocker.close()
                try await eventually(within: .seconds(10), "the end of the transaction, without the worker") {
                    try await sessions("state <> 'idle'", installation) == 0
                }
                try await installation.startWorker("other")
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                #expect(job.crashes == 1)
                paused.send(signal: SIGCONT)
                try await paused.waitForLine(containing: "Job was taken from this worker")
                #expect(try await installation.peers.pages(of: "ada").count == 10)
            }
        }

        private func sessions(_ condition: String, _ installation: Installation) async throws -> Int {
            let query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'paused' AND \(condition)"
            return try await installation.count(PostgresQuery(stringLiteral: query))
        }

        private func now(_ installation: Installation) async throws -> Date {
            try #require(try await installation.pool.query("SELECT clock_timestamp()").first).decode(at: 0)
        }
    }
}
