import FlowControl
import Foundation
import JobQueue
package import Postgres
import SyncSchema

extension ServiceFacts {
    /// How much is read.
    package enum Extent: Sendable {
        /// What is known of the workers, for what is asked every few seconds.
        case workers
        /// What can be wrong, for `/health`, which asks the peers itself: no warnings, and nothing of how the work
        /// goes.
        case wrongs
        case all
    }

    /// Reads them, each statement by index and bounded: a million jobs take no longer. What this role may not see
    /// counts as nothing wrong; the roles of `deploy/roles.sql` may see all of it.
    ///
    /// - Throws: `PostgresError`.
    package init(_ pool: PostgresPool, _ extent: Extent = .all) async throws {
        let server = try await pool.query(.server()).first
        self.init(now: try server?.decode("now") ?? Date())
        isReadOnly = try server?.decode("is_read_only") ?? false
        if extent != .workers, let fault = try await Self.schemaFault(on: pool) {
            schemaFault = fault
            return
        }
        // One after the other: `/health` asks for the database by the same few connections meanwhile.
        try await readWorkers(pool)
        if extent != .workers { try await readWrongs(pool) }
        if extent == .all { try await readRest(pool) }
    }

    private static func schemaFault(on pool: PostgresPool) async throws -> SchemaFault? {
        do {
            _ = try await Migrator(migrations: SyncSchema.migrations).checkCurrent(on: pool)
            return nil
        } catch let error as PostgresError where error.isOfMigrations {
            return SchemaFault(reason: error.message, isPendingOnly: error.code == .migrationPending)
        }
    }

    private mutating func readWorkers(_ pool: PostgresPool) async throws {
        let jobs = JobClient(pool: pool)
        workers = try await jobs.workers()
        if present.isEmpty { lastWorker = try await pool.unlessDenied { try await jobs.lastWorker() } ?? nil }
        guard workers.allClaimsHeldSince != nil else { return }
        failingPeers = try await pool.unlessDenied { try await jobs.failingPeers() } ?? []
    }

    private mutating func readWrongs(_ pool: PostgresPool) async throws {
        depth = try await pool.queueDepth()
        alerts = try await pool.openAlerts() ?? []
        let jobs = JobClient(pool: pool)
        closedGates = try await pool.unlessDenied { try await jobs.closedGates(among: Peer.gates) } ?? []
    }

    private mutating func readRest(_ pool: PostgresPool) async throws {
        waiting = try await pool.waitingJobs()
        throughput = try await pool.throughput()
        failures = try await pool.openFailures()
        peerFaults = try await pool.peersFoundDown()
        notificationQueueUsage = try await pool.notificationQueueUsage()
        let list = PauseList(pool: pool)
        pauses = try await pool.unlessDenied { try await list.pauses(limit: Self.pausesRead) } ?? []
        pausedUsers = try await pool.unlessDenied { try await list.counts()["user"] ?? 0 } ?? 0
    }
}
