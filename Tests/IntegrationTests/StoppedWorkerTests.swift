import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import Chaos

extension IntegrationTests {
    /// Workers that are stopped while what they have to record can't be, and end in order all the same.
    @Suite struct StoppedWorkerTests {
        /// Somebody has the rows of running jobs locked, for longer than the grace period: none of them has killed its
        /// worker. So it is if the database was away when the grace period ended, and has come back since.
        @Test(arguments: [false, true]) func aResultThatWaitsForALockIsNoCrash(isCutOff: Bool) async throws {
            try await Installation.with(notes: 8, simulator: ["--idempotency", "honour"]) { installation in
                try await installation.addUser("ada")
                let link = try await FaultyLink.start(to: installation.database.cluster.port)
                let url = "postgresql://postgres@127.0.0.1:\(link.port)/\(installation.database.name)"
                let worker = try await installation.startWorker(
                    "stopped",
                    [
                        "DATABASE_URL": url, "SYNC_SHUTDOWN_GRACE": "2s", "SYNC_LEASE": "6s",
                        "SYNC_WORKER_NOTE_CONCURRENCY": "1",
                    ]
                )
                try await installation.peers.setLatency(.seconds(1))
                let id = try await installation.insertJob("ada")
                try await installation.waitForJob(id, "its begin") { $0.status == .running }
                try await eventually(within: .seconds(10), "the renewal of its lease") {
                    try await installation.count("SELECT count(*) FROM sync_queue WHERE is_renewed") == 1
                }
                let outside = try await installation.database.connect()
                try await outside.runScript("BEGIN; SELECT FROM sync_jobs FOR UPDATE")
                worker.send(signal: SIGTERM)
                if isCutOff {
                    link.set(.refuse)
                    link.cut()
                    try await worker.waitForLine(containing: "The grace period is over")
                    try await Task.sleep(for: .seconds(1))
                    link.set(.pass)
                }
                _ = try await worker.waitForExit(within: .seconds(15))
                let left = try await installation.count(
                    "SELECT sum(cardinality(leases))::int FROM sync_stopped_workers"
                )
                #expect(left == 1, "\(worker.transcript)")
                try await outside.runScript("ROLLBACK")
                await outside.close()
                try await installation.peers.setLatency(.zero)
                let rescuer = try await installation.startWorker("rescuer")
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed && job.crashes == 0 && job.attempt == 1, "\(job)")
                #expect(job.lastError?.contains("stopped was stopped and could not record how this job ended") == true)
                #expect(
                    rescuer.standardOutput.contains {
                        $0.contains("A worker was stopped and could not record how a job ended")
                    }
                )
                #expect(try await installation.peers.pages(of: "ada").count == 8)
                await link.stop()
            }
        }

        /// One that was killed has died, whatever others have left.
        @Test func aWorkerThatWasKilledHasDied() async throws {
            try await Installation.with(notes: 4) { installation in
                try await installation.addUser("ada")
                let idle = try await installation.startWorker("idle")
                try await idle.stop(within: .seconds(5))
                #expect(try await installation.count("SELECT count(*) FROM sync_workers") == 0)
                let stops = "SELECT count(*) FROM sync_stopped_workers WHERE worker = 'idle' AND leases = '{}'"
                #expect(try await installation.count(PostgresQuery(stringLiteral: stops)) == 1)
                try await installation.peers.setLatency(.milliseconds(500))
                let worker = try await installation.startWorker("killed")
                let id = try await installation.insertJob("ada")
                try await eventually(within: .seconds(10), "the renewal of its lease") {
                    try await installation.count("SELECT count(*) FROM sync_queue WHERE is_renewed") == 1
                }
                worker.send(signal: SIGKILL)
                _ = try await worker.waitForExit(within: .seconds(5))
                try await installation.startWorker("rescuer")
                #expect(try await installation.waitForJob(id).crashes == 1)
            }
        }
    }
}
