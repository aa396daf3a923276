import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// What a hostile role can do to the queue, and what the others see of it.
    @Suite struct HostileNeighbourTests {
        private static let others = 50

        /// - Parameter priority: of the flood.
        private func insertFlood(_ installation: Installation, priority: Int16) async throws {
            try await installation.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, priority, run_at)
                SELECT gen_random_uuid(), 'flood', 'queued', \(priority), now() - interval '1 hour' + n * interval '1 ms'
                FROM generate_series(1, 100000) AS n
                """,
                timeout: .none
            )
            // As if they had come one by one: none waits behind another yet.
            try await installation.pool.execute(
                "UPDATE sync_queue SET is_parked = false WHERE is_parked",
                timeout: .none
            )
            try await installation.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status)
                SELECT gen_random_uuid(), 'other-' || n, 'queued' FROM generate_series(1, \(Self.others)) AS n
                """
            )
        }

        /// Nobody has credentials, so that a job takes no longer than its claim and its end.
        @Test(arguments: [Int16(0), -100])
        func aFloodOfOneUserDelaysNoOther(priority: Int16) async throws {
            try await Installation.with(notes: 1) { installation in
                try await insertFlood(installation, priority: priority)
                try await installation.startWorker("worker", ["SYNC_LEASE": "60s"])
                try await eventually(within: .seconds(120), "the jobs of all others") {
                    try await installation.count(
                        "SELECT count(*) FROM sync_jobs WHERE user_id LIKE 'other-%' AND status = 'failed'"
                    ) == Self.others
                }
                let ran = try await installation.count(
                    "SELECT count(*) FROM sync_jobs WHERE user_id = 'flood' AND started_at IS NOT NULL"
                )
                // Not a time, which says more of the machine.
                #expect(ran < 5000, "jobs of the flood ran meanwhile")
            }
        }

        /// Payloads nobody waits for are compared and dropped; those that ask for something are heeded so often and no
        /// more.
        @Test func aFloodOfNotificationsCostsLittle() async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try await installation.startWorker(
                    "worker",
                    ["SYNC_LEASE": "60s", "SYNC_POLL_INTERVAL": "60s"]
                )
                try await installation.addUser("ada")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                let flooding = try await installation.database.connect()
                let other = try await installation.database.connect()
                let before = try worker.processorTime
                let end = ContinuousClock.now + .seconds(10)
                var sent = 0
                while .now < end {
                    for channel in ["sync_jobs", "sync_jobs_revoked"] {
                        try await flooding.execute(
                            """
                            SELECT count(pg_notify(\(channel), CASE n WHEN 1 THEN '' ELSE n::text END))
                            FROM generate_series(1, 50000) AS n
                            """
                        )
                        sent += 50_000
                    }
                    for _ in 1...20 { try await other.execute("NOTIFY sync_jobs") }
                }
                let used = try worker.processorTime - before
                print("\(sent) notifications: \(used) of the worker's processor time")
                #expect(used < .microseconds(sent), "a microsecond for each, of a program that is not optimised")
                let job = try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(job.status == .completed)
                await flooding.close()
                await other.close()
            }
        }
    }
}
