import Foundation
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import Chaos

/// A database whose connections stay open and say nothing any more.
@Suite struct SilentDatabaseTests {
    /// A statement waits half a minute for an answer, and a busy worker for its grace period; one without a job for
    /// neither.
    @Test(arguments: ["25s", "1s"]) func anIdleWorkerThatIsCutOffEndsWell(grace: String) async throws {
        let cluster = try await PrivateCluster.shared()
        let database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
        let link = try await FaultyLink.start(to: cluster.port)
        let worker = try ProgramRun.start(
            "sync-worker",
            environment: [
                "DATABASE_URL": "postgresql://postgres@127.0.0.1:\(link.port)/\(database.name)",
                "AWS_ENCRYPTION_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "SYNC_SHUTDOWN_GRACE": grace,
            ]
        )
        try await worker.waitForLine(containing: "Ready.")
        try await eventually(within: .seconds(10), "the worker's row") {
            try await database.pool.query("SELECT FROM sync_workers").count == 1
        }
        link.set(.hold)
        worker.send(signal: SIGTERM)
        #expect(try await worker.waitForExit(within: .seconds(12)) == .code(0), "\(worker.transcript)")
        let last = worker.standardOutput.filter { $0.contains("exiting without it") }
        #expect(last.count == 1 && last.allSatisfy { $0.contains("row in sync_workers stays") }, "\(worker.transcript)")
        await link.stop()
        await database.pool.shutdown()
        try await database.drop()
    }
}
