import Foundation
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import Chaos

/// A database whose connections stay open and say nothing any more.
@Suite struct SilentDatabaseTests {
    /// A statement waits half a minute for an answer; a supervisor does not wait so long for the end.
    @Test func aWorkerThatIsCutOffEndsSoonAfterItsGracePeriod() async throws {
        let cluster = try await PrivateCluster.shared()
        let database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
        let link = try await FaultyLink.start(to: cluster.port)
        let worker = try ProgramRun.start(
            "sync-worker",
            environment: [
                "DATABASE_URL": "postgresql://postgres@127.0.0.1:\(link.port)/\(database.name)",
                "AWS_ENCRYPTION_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "SYNC_SHUTDOWN_GRACE": "1s",
            ]
        )
        try await worker.waitForLine(containing: "Ready.")
        try await eventually(within: .seconds(10), "the worker's row") {
            try await database.pool.query("SELECT FROM sync_workers").count == 1
        }
        link.set(.hold)
        worker.send(signal: SIGTERM)
        #expect(try await worker.waitForExit(within: .seconds(15)) == .code(1))
        #expect(worker.standardOutput.contains { $0.contains("exiting without it") })
        await link.stop()
        await database.pool.shutdown()
        try await database.drop()
    }
}
