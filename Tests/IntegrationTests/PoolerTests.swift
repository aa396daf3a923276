import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Behind PgBouncer in transaction mode everything works but LISTEN: jobs are then found by the poll.
    @Suite struct PoolerTests {
        private static let variable = ProcessInfo.processInfo.environment["SYNC_TEST_PGBOUNCER"]
        private static let program = variable.flatMap { $0.isEmpty ? nil : $0 }

        @Test(.enabled(if: program != nil, "deploy/test --full"))
        func twoReplicasWorkThroughATransactionPool() async throws {
            let users = (1...10).map { "user-\($0)" }
            try await Installation.with(notes: 3) { installation in
                for user in users { try await installation.addUser(user) }
                let history = try await JobHistory.begin(in: installation.pool)
                let folder = try makeFolder(for: installation.database.cluster)
                let pooler = try ProgramRun(
                    executable: try #require(Self.program),
                    (getuid() == 0 ? ["-u", "nobody"] : []) + ["\(folder)/pgbouncer.ini"]
                )
                try await pooler.waitForLine(containing: "process up")
                let name = installation.database.name
                let url = "postgresql://postgres@/\(name)?host=\(folder)&port=6432"
                let settings = ["DATABASE_URL": url, "SYNC_POLL_INTERVAL": "200ms", "SYNC_WORKER_CONCURRENCY": "4"]
                let workers = [
                    try await installation.startWorker("first", settings),
                    try await installation.startWorker("second", settings),
                ]
                for user in users + users + users { try await installation.insertJob(user) }
                try await installation.waitForAllJobs(within: .seconds(30))
                #expect(try await installation.statuses() == ["completed": 3 * users.count])
                let runs = try await history.runs()
                #expect(runs.count == 3 * users.count)
                #expect(JobHistory.overlaps(runs).isEmpty)
                #expect(try await installation.peers.pages().count == 3 * users.count)
                for worker in workers { try await worker.stop() }
                #expect(!workers.contains { $0.transcript.contains("prepared statement") })
                // No session that is somebody else's next was left listening.
                #expect(workers.allSatisfy { $0.transcript.contains("jobs are found by polling") })
                let listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'" as PostgresQuery
                #expect(try await installation.count(listening) == 0)
                await pooler.kill()
                try FileManager.default.removeItem(atPath: folder)
            }
        }

        /// A folder for the pooler's socket and configuration; it listens on no port.
        private func makeFolder(for cluster: PrivateCluster) throws -> String {
            let folder = FileManager.default.temporaryDirectory.appending(path: "pooler-\(UUID().uuidString.prefix(8))")
            try FileManager.default.createDirectory(
                at: folder,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o777]
            )
            // The umask may have taken rights of others away.
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path)
            let configuration = """
                [databases]
                * = host=127.0.0.1 port=\(cluster.port) user=postgres
                [pgbouncer]
                pool_mode = transaction
                default_pool_size = 6
                auth_type = any
                unix_socket_dir = \(folder.path)
                listen_port = 6432
                """
            try configuration.write(to: folder.appending(path: "pgbouncer.ini"), atomically: false, encoding: .utf8)
            return folder.path
        }
    }
}
