import Foundation
import Postgres
import Testing

extension IntegrationTests {
    @Suite struct DrainTests {
        private static let users = 100
        private static let notes = 3

        @Test(.timeLimit(.minutes(3)))
        func twoReplicasDrainFiveHundredJobsOfAHundredUsers() async throws {
            try await Installation.with(notes: Self.notes) { installation in
                for number in 1...Self.users { try await installation.addUser("user-\(number)") }
                let history = try await JobHistory.begin(in: installation.pool)
                try await insertJobs(300, full: false, installation)
                let settings = ["SYNC_WORKER_CONCURRENCY": "8", "SYNC_LEASE": "30s"]
                let first = try await installation.startWorker("first", settings)
                let second = try await installation.startWorker("second", settings)
                // The rest comes while the workers are at it.
                try await insertJobs(200, full: true, installation)
                try await installation.waitForAllJobs(within: .seconds(90))

                #expect(try await installation.statuses() == ["completed": 500])
                let claims = try await history.runs()
                let runs = claims.filter { $0.result == "completed" }
                #expect(runs.count == 500, "a job run twice, or one never run")
                #expect(Set(runs.map(\.job)).count == 500)
                // Claimed for a slot that was not free after all, as the record of its job was just locked: handed back
                // at once.
                let returned = claims.filter { $0.result != "completed" }
                #expect(returned.count < 20 && returned.allSatisfy { $0.result == "queued" })
                #expect(JobHistory.overlaps(runs).isEmpty, "two jobs of one user at once")
                #expect(Set(runs.map(\.worker)) == ["first", "second"], "one replica did nothing")
                #expect(JobHistory.mostAtOnce(runs) > 8, "the replicas did not work side by side")
                try await expectEveryPageOnce(installation)
                for worker in [first, second] { try await worker.stop() }
                #expect(try await installation.count("SELECT count(*) FROM sync_workers") == 0)
            }
        }

        private func insertJobs(_ number: Int, full: Bool, _ installation: Installation) async throws {
            try await installation.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                    error_message, completed_at)
                SELECT gen_random_uuid(), 'user-' || (1 + n % \(Self.users)), 'queued', \(full), 0, 0, 0, NULL, NULL
                FROM generate_series(1, \(number)) AS n
                """
            )
        }

        /// One page per user and note, created once; two of each user's five jobs were full syncs and wrote it again.
        private func expectEveryPageOnce(_ installation: Installation) async throws {
            let pages = try await installation.peers.pages()
            #expect(pages.count == Self.users * Self.notes)
            #expect(Set(pages.map { "\($0.databaseID) \($0.title)" }).count == pages.count)
            let requests = try await installation.peers.requests()
            #expect(requests.maxConcurrentPerTitle == 1)
            #expect(requests.creates == pages.count)
            #expect(requests.malformedIdempotencyKeys == 0)
            #expect(requests.missingIdempotencyKeys == 0)
            #expect(try await installation.count("SELECT count(*) FROM sync_state") == pages.count)
            #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0)
            let unfinished: Int = try await installation.count(
                "SELECT count(*) FROM sync_jobs WHERE completed_at IS NULL OR failed_notes > 0 OR attempt <> 1 OR crashes > 0"
            )
            #expect(unfinished == 0)
        }
    }
}
