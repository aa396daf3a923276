import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// A server that has fewer connections left than the workers want.
    @Suite struct ConnectionBudgetTests {
        /// A role that is no superuser, for the limit to hold, and acts as one that may do everything.
        private func makeRole(_ name: String, limit: Int32, _ installation: Installation) async throws -> String {
            let database = installation.database
            try await installation.pool.withConnection { connection in
                try await connection.runScript(
                    """
                    CREATE ROLE \(name) LOGIN CONNECTION LIMIT \(limit);
                    GRANT postgres TO \(name);
                    ALTER ROLE \(name) SET role = postgres;
                    """
                )
            }
            return database.connectionString.replacing("//postgres@", with: "//\(name)@")
        }

        @Test func workersShareTheTwoConnectionsThatAreLeft() async throws {
            try await Installation.with(notes: 2) { installation in
                let users = ["ada", "bob", "cyd", "dan"]
                for user in users { try await installation.addUser(user) }
                let url = try await makeRole("tight", limit: 2, installation)
                let workers = try (1...5).map { number in
                    try installation.launchWorker("w\(number)", ["DATABASE_URL": "\(url)?application_name=w\(number)"])
                }
                try await eventually(within: .seconds(60), "two workers, and three that wait") {
                    workers.allSatisfy {
                        $0.transcript.contains("Ready.") || $0.transcript.contains("no connection left")
                    }
                        && workers.contains { $0.transcript.contains("Ready.") }
                }
                for user in users { try await installation.insertJob(user) }
                try await installation.waitForAllJobs(within: .seconds(60))
                #expect(try await installation.statuses() == ["completed": users.count])
                #expect(
                    try await installation.count("SELECT count(*) FROM sync_jobs WHERE attempt <> 1 OR crashes <> 0")
                        == 0
                )
                try await installation.pool.execute("ALTER ROLE tight CONNECTION LIMIT -1")
                for worker in workers { try await worker.waitForLine(containing: "Ready.", within: .seconds(60)) }
                #expect(workers.allSatisfy { $0.exit == nil })
                for worker in workers { try await worker.stop() }
                try await installation.pool.execute("DROP ROLE tight")
            }
        }

        /// What a worker takes while it works, by the server's count.
        @Test func aWorkerKeepsToItsBudget() async throws {
            try await Installation.with(notes: 20) { installation in
                let users = (1...8).map { "user-\($0)" }
                for user in users { try await installation.addUser(user) }
                try await installation.peers.setLatency(.milliseconds(20))
                let worker = try await installation.startWorker(
                    "worker",
                    ["SYNC_DATABASE_CONNECTIONS": "5", "SYNC_WORKER_CONCURRENCY": "8"]
                )
                for user in users { try await installation.insertJob(user) }
                var most = 0
                try await eventually(within: .seconds(60), "the end of all jobs") {
                    let taken =
                        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'worker'" as PostgresQuery
                    most = max(most, try await installation.count(taken))
                    return try await installation.statuses() == ["completed": users.count]
                }
                #expect((4...5).contains(most), "\(most)")
                #expect(worker.standardOutput.contains { $0.contains("Ready.") && $0.contains("connections=5") })
                try await worker.stop()
            }
        }
    }
}
