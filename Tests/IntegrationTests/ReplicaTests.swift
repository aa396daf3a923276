import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Several workers on one queue: who is woken for what another leaves behind, and who is who.
    @Suite struct ReplicaTests {
        /// Only NOTIFY can tell a worker within the time of a test.
        private static let settings = ["SYNC_POLL_INTERVAL": "60s", "SYNC_LEASE": "60s"]

        /// A worker in the middle of the first of a user's two jobs, and another that does nothing.
        private func withBusyAndIdle(
            _ body: (Installation, _ busy: ProgramRun, [JobID]) async throws -> Void
        ) async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.seconds(2))
                let busy = try await installation.startWorker("busy", Self.settings)
                var jobs = [try await installation.insertJob("ada")]
                try await installation.waitForJob(jobs[0], "the claim") { $0.status == .running }
                try await installation.startWorker("idle", Self.settings)
                try await installation.waitUntilListening("idle")
                jobs.append(try await installation.insertJob("ada"))
                try await eventually("the second job to be parked") {
                    try await installation.count("SELECT count(*) FROM sync_queue WHERE is_parked") == 1
                }
                try await body(installation, busy, jobs)
            }
        }

        @Test func whatAStoppingWorkerLeavesIsAnothersToBeWokenFor() async throws {
            try await withBusyAndIdle { installation, busy, jobs in
                busy.send(signal: SIGTERM)
                // Its row may be gone by the next look.
                try await eventually("no more wake-ups for it") {
                    try await installation.count(
                        "SELECT count(*) FROM sync_workers WHERE worker = 'busy' AND wakeable"
                    ) == 0
                }
                _ = try await busy.waitForExit(within: .seconds(20))
                for id in jobs {
                    let job = try await installation.waitForJob(id, within: .seconds(30))
                    #expect(job.status == .completed)
                }
                #expect(try await installation.job(jobs[1]).worker == "idle")
            }
        }

        @Test func cancellingTheJobOfADeadWorkerBringsTheNext() async throws {
            try await withBusyAndIdle { installation, busy, jobs in
                await busy.kill()
                try await installation.setStatus("cancelled", of: jobs[0])
                let next = try await installation.waitForJob(jobs[1], within: .seconds(20))
                #expect(next.status == .completed && next.worker == "idle")
            }
        }

        @Test func twoWorkersOfOneNameAreToldApart() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                let first = try await installation.startWorker("same")
                let second = try await installation.startWorker("second", ["SYNC_WORKER_NAME": "same"])
                let line = try await second.waitForLine(containing: "has the same name")
                #expect(line.contains("WARN") && line.contains("SYNC_WORKER_NAME"))
                #expect(try await installation.jobs.workers().map(\.name) == ["same", "same"])
                try await first.stop(within: .seconds(10))
                let left = try await installation.jobs.workers()
                #expect(left.count == 1 && left.allSatisfy { !$0.isSilent })
                #expect(try await installation.waitForJob(try await installation.insertJob("ada")).worker == "same")
            }
        }

        /// Of what died a moment ago nobody knows yet that it is dead.
        @Test func aWorkerRestartedUnderTheNameOfADeadOneSaysNothing() async throws {
            try await Installation.with(notes: 1) { installation in
                let dead = try await installation.startWorker("dead", ["SYNC_WORKER_NAME": "same"])
                try await installation.waitUntilListening("dead", name: "same")
                await dead.kill()
                let next = try await installation.startWorker("next", ["SYNC_WORKER_NAME": "same"])
                try await eventually(within: .seconds(20), "three heartbeats") {
                    try await installation.count(
                        "SELECT count(*) FROM sync_workers WHERE last_seen_at > started_at + interval '2.5 s'"
                    ) == 1
                }
                #expect(!next.transcript.contains("has the same name"))
                #expect(try await installation.jobs.workers().count == 2)
            }
        }
    }
}
