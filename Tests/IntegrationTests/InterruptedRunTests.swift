import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Runs that are interrupted while they find out whether it is their own fault that what they have sent is not
    /// answered: they have not found out, and spend no attempt.
    @Suite struct InterruptedRunTests {
        private static let settings = [
            "SYNC_BREAKER_FAILURES": "3", "SYNC_LEASE": "60s", "SYNC_JOB_BACKOFF_BASE": "1h",
            "SYNC_JOB_BACKOFF_CAP": "1h",
        ]
        private static let failingCreates =
            #"{"peer":"writer","operation":"create","fault":{"kind":"status","code":503}}"#

        /// Starts a worker and a job whose creates all fail, and returns when the job waits for others to say so too:
        /// one note by a question that changes nothing, several after as many as end a run.
        private static func settle(_ installation: Installation, notes: Int) async throws -> (ProgramRun, JobID) {
            try await installation.peers.setFaults(failingCreates)
            try await installation.addUser("ada")
            let worker = try await installation.startWorker("worker", settings)
            let job = try await installation.insertJob("ada")
            if notes == 1 {
                try await worker.waitForLine(containing: "The Notion Writer is still ill.")
            } else {
                try await eventually(within: .seconds(20), "the create that ends the run") {
                    let unknown = try await installation.count(
                        "SELECT count(*) FROM sync_intents WHERE unknown_at IS NOT NULL"
                    )
                    return try await installation.peers.requests().creates >= 3 && unknown >= 2
                }
            }
            return (worker, job)
        }

        @Test(arguments: [1, 8]) func aWorkerThatStopsHandsItsJobBack(_ notes: Int) async throws {
            try await Installation.with(notes: notes) { installation in
                let (worker, id) = try await Self.settle(installation, notes: notes)
                try await worker.stop(within: .seconds(5))
                let job = try await installation.job(id)
                #expect(job.status == .queued && job.attempt == 0 && job.crashes == 0, "\(worker.transcript)")
            }
        }

        /// What other workers have met can't be asked, nor what this one has met be told.
        @Test(arguments: [1, 8], [false, true])
        func aDatabaseThatTakesNoWritesIsNoFaultOfTheJob(_ notes: Int, endsSessions: Bool) async throws {
            let cluster = try await PrivateCluster.start()
            try await Installation.with(notes: notes, cluster: cluster) { installation in
                let (worker, id) = try await Self.settle(installation, notes: notes)
                try await cluster.setReadOnly(true)
                if endsSessions { try await cluster.terminateClients() }
                let end = ContinuousClock.now + .seconds(8)
                try await eventually(within: .seconds(20), "the end of the settling") { .now > end }
                try await installation.peers.setFaults("")
                try await cluster.setReadOnly(false)
                if endsSessions { try await cluster.terminateClients() }
                try await installation.waitForJob(id, within: .seconds(60)) { $0.status != .running }
                let job = try await installation.job(id)
                #expect(job.attempt == (job.status == .completed ? 1 : 0), "\(job)\n\(worker.transcript)")
            }
            try await cluster.remove()
        }
    }
}
