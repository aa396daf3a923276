import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// How a worker learns of the gateway's INSERT.
    @Suite struct PickUpTests {
        @Test func notifyWakesTheWorkerWithinAMoment() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                let settings = ["SYNC_POLL_INTERVAL": "60s", "SYNC_LEASE": "60s"]
                try await installation.startWorker("worker", settings)
                try await installation.waitUntilListening("worker")
                var waits: [Double] = []
                for _ in 1...10 {
                    let id = try await installation.insertJob("ada")
                    try await installation.waitForJob(id, within: .seconds(10))
                    waits.append(try await wait(of: id, installation))
                }
                #expect(waits.sorted()[5] < 0.2, "seconds from INSERT to claim: \(waits)")
                #expect(waits.allSatisfy { $0 < 0.8 }, "seconds from INSERT to claim: \(waits)")
            }
        }

        @Test func theEndOfAUsersJobBringsTheNextAtOnce() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                let settings = ["SYNC_POLL_INTERVAL": "60s", "SYNC_LEASE": "60s"]
                try await installation.startWorker("worker", settings)
                try await installation.waitUntilListening("worker")
                for _ in 1...10 { try await installation.insertJob("ada") }
                try await installation.waitForAllJobs(within: .seconds(10))
                #expect(try await installation.statuses() == ["completed": 10])
            }
        }

        @Test func thePollFindsWhatNobodyAnnounced() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                try await installation.pool.execute(
                    """
                    CREATE OR REPLACE FUNCTION sync_queue_wake(other_than uuid DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql AS
                        'BEGIN RETURN false; END'
                    """
                )
                try await installation.startWorker("worker", ["SYNC_POLL_INTERVAL": "1s"])
                try await installation.waitUntilListening("worker")
                for _ in 1...3 {
                    let id = try await installation.insertJob("ada")
                    try await installation.waitForJob(id, within: .seconds(5))
                    // The interval and its jitter of a fifth.
                    #expect(try await wait(of: id, installation) < 1.7)
                }
            }
        }

        @Test func aJobForLaterRunsThen() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                try await installation.startWorker("worker", ["SYNC_POLL_INTERVAL": "200ms"])
                let id = try await installation.insertJob("ada", runAfter: 2)
                try await installation.waitForJob(id, within: .seconds(10))
                let wait = try await wait(of: id, installation)
                #expect(wait >= 0 && wait < 1, "began \(wait) s after it was due")
            }
        }

        /// Seconds from when a job became due until its claim, by the database's clock.
        private func wait(of id: JobID, _ installation: Installation) async throws -> Double {
            let job = try await installation.job(id)
            return try #require(job.startedAt).timeIntervalSince(job.runAt)
        }
    }
}

extension Installation {
    fileprivate func insertJob(_ user: String, runAfter seconds: Int) async throws -> JobID {
        let id = JobID()
        try await pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            VALUES (\(id.rawValue), \(user), 'queued', now() + make_interval(secs => \(seconds)))
            """
        )
        return id
    }
}
