import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// What an operator does by SQL, in psql or in the admin interface, while workers run.
    @Suite struct OperatorTests {
        @Test func cancellingARunningJobStopsItWithinASecond() async throws {
            let notes = 60
            try await Installation.with(notes: notes, simulator: ["--idempotency", "honour"]) { installation in
                for user in ["ada", "bob"] { try await installation.addUser(user) }
                try await installation.peers.setLatency(.milliseconds(100))
                let worker = try await installation.startWorker(
                    "worker",
                    ["SYNC_LEASE": "60s", "SYNC_POLL_INTERVAL": "60s"]
                )
                try await installation.waitUntilListening("worker")
                let id = try await installation.insertJob("ada")
                try await installation.waitForWrites(10)
                try await installation.setStatus("cancelled", of: id)
                try await worker.waitForLine(containing: "Job was taken from this worker", within: .seconds(1))
                let written = try await installation.peers.pages(of: "ada").count
                let kept = try await installation.count("SELECT count(*) FROM sync_state")
                #expect(written < notes)
                // What was under way when it was cancelled is remembered as unknown, everything else as written.
                #expect(kept + 4 >= written && kept >= 6)

                // While another user's job runs through, nothing more is sent for this one; the peer may still end the
                // four calls that were under way.
                try await installation.waitForJob(try await installation.insertJob("bob"))
                #expect(try await installation.peers.pages(of: "ada").count <= written + 4)
                let cancelled = try await installation.job(id)
                #expect(cancelled.status == .cancelled)
                #expect(cancelled.completedAt != nil)
                #expect(cancelled.worker == nil)

                // And a retry goes on from there.
                try await installation.setStatus("queued", of: id)
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                #expect(job.processedNotes == notes)
                #expect(try await installation.peers.pages(of: "ada").count == notes)
                #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0)
            }
        }

        @Test func aDeletedRunningJobStops() async throws {
            try await Installation.with(notes: 100) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(100))
                let worker = try await installation.startWorker("worker", ["SYNC_LEASE": "60s"])
                try await installation.waitUntilListening("worker")
                let id = try await installation.insertJob("ada")
                try await installation.waitForWrites(5)
                // The rows that refer to it have to go first; a flush may come in between.
                try await installation.pool.withTransaction { connection in
                    try await connection.execute("SELECT FROM sync_jobs WHERE job_id = \(id.rawValue) FOR UPDATE")
                    try await connection.execute("DELETE FROM sync_logs WHERE job_id = \(id.rawValue)")
                    try await connection.execute("DELETE FROM sync_jobs WHERE job_id = \(id.rawValue)")
                }
                try await worker.waitForLine(containing: "Job was taken from this worker", within: .seconds(2))
                #expect(try await installation.count("SELECT count(*) FROM sync_logs") == 0)
                // The user is free again.
                try await installation.peers.setLatency(.zero)
                let next = try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(next.status == .completed)
            }
        }

        @Test func aCancelledQueuedJobNeverRuns() async throws {
            try await Installation.with(notes: 10) { installation in
                for user in ["ada", "bob", "cyd"] { try await installation.addUser(user) }
                try await installation.peers.setLatency(.milliseconds(50))
                try await installation.startWorker("worker", ["SYNC_WORKER_CONCURRENCY": "1"])
                try await installation.waitUntilListening("worker")
                try await installation.insertJob("ada")
                let waiting = try await installation.insertJob("bob")
                try await installation.setStatus("cancelled", of: waiting)
                let last = try await installation.insertJob("cyd")
                try await installation.waitForJob(last)
                let job = try await installation.job(waiting)
                #expect(job.status == .cancelled)
                #expect(job.completedAt != nil)
                #expect(job.startedAt == nil)
                #expect(try await installation.peers.pages(of: "bob").isEmpty)
            }
        }

        @Test func aFailedJobIsRetriedBySettingItQueued() async throws {
            try await Installation.with(notes: 3) { installation in
                try await installation.startWorker("worker")
                let id = try await installation.insertJob("ada")
                let failed = try await installation.waitForJob(id)
                #expect(failed.status == .failed)
                #expect(failed.completedAt != nil)
                try await installation.addUser("ada")
                try await installation.setStatus("queued", of: id)
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                #expect(job.errorMessage == nil)
                #expect(job.attempt == 1)
                #expect(try await installation.peers.pages(of: "ada").count == 3)
            }
        }

        @Test func clearedStateHasEveryPageCreatedAnew() async throws {
            try await Installation.with(notes: 8) { installation in
                for user in ["ada", "bob"] { try await installation.addUser(user) }
                try await installation.startWorker("worker")
                for user in ["ada", "bob"] { try await installation.waitForJob(try await installation.insertJob(user)) }
                // Nothing has changed, so nothing is written.
                try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(try await installation.peers.requests().writes == 16)

                try await installation.pool.execute("DELETE FROM sync_state WHERE user_id = 'ada'")
                for user in ["ada", "bob"] { try await installation.waitForJob(try await installation.insertJob(user)) }
                #expect(try await installation.peers.pages(of: "ada").count == 16)
                #expect(try await installation.peers.pages(of: "bob").count == 8)
                #expect(try await installation.peers.requests().updates == 0)
            }
        }
    }
}
