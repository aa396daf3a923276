import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import Chaos

extension IntegrationTests {
    @Suite struct ShutdownTests {
        @Test func sigtermHandsBackAndAnotherGoesOnFromThere() async throws {
            let notes = 60
            try await Installation.with(notes: notes) { installation in
                try await installation.addUser("ada")
                let first = try await installation.startWorker("first")
                try await installation.waitForJob(try await installation.insertJob("ada"))
                #expect(try await installation.peers.requests().creates == notes)

                // Now every note has changed, and none is to be written twice.
                for note in try await installation.peers.notes() {
                    try await installation.peers.editNote(note.id, text: "Edited")
                }
                try await installation.peers.resetRequests()
                try await installation.peers.setLatency(.milliseconds(100))
                let id = try await installation.insertJob("ada", full: true)
                try await installation.waitForWrites(12)
                try await first.stop(within: .seconds(5))
                let handedBack = try await installation.job(id)
                #expect(handedBack.status == .queued)
                #expect(handedBack.attempt == 0, "stopping spends no attempt")
                #expect(handedBack.crashes == 0)
                #expect(handedBack.worker == nil)
                let written = try await installation.peers.requests().updates
                #expect(written < notes)
                #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0, "a note was broken off")
                #expect(try await installation.count("SELECT count(*) FROM sync_workers") == 0)

                try await installation.startWorker("second")
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                #expect(job.attempt == 1)
                #expect(job.processedNotes == notes)
                let requests = try await installation.peers.requests()
                #expect(requests.updates == notes, "what was written before the stop was written again")
                #expect(requests.creates == 0)
                #expect(try await installation.peers.pages(of: "ada").allSatisfy { $0.versions == 2 })
            }
        }

        /// The job ends after the last heartbeat, and the next would be in 20 s.
        @Test func whatEndedSinceTheLastHeartbeatIsCounted() async throws {
            try await Installation.with(notes: 1) { installation in
                try await installation.addUser("ada")
                let worker = try await installation.startWorker("worker", ["SYNC_LEASE": "60s"])
                for _ in 1...3 { try await installation.waitForJob(try await installation.insertJob("ada")) }
                try await installation.waitForJob(try await installation.insertJob("nobody"))
                try await worker.stop(within: .seconds(5))
                #expect(try await installation.count("SELECT sum(completed)::int FROM sync_throughput") == 3)
                #expect(try await installation.count("SELECT sum(failed)::int FROM sync_throughput") == 1)
            }
        }

        @Test func aRunningReplicaTakesOverAtOnce() async throws {
            try await Installation.with(notes: 20) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(100))
                // Only NOTIFY can tell the other within the time of this test.
                let settings = ["SYNC_POLL_INTERVAL": "60s", "SYNC_LEASE": "60s"]
                let first = try await installation.startWorker("first", settings)
                let id = try await installation.insertJob("ada")
                try await installation.waitForWrites(4)
                try await installation.startWorker("second", settings)
                try await installation.waitUntilListening("second")
                try await first.stop(within: .seconds(5))
                let job = try await installation.waitForJob(id, within: .seconds(10))
                #expect(job.status == .completed)
                #expect(try await installation.peers.pages(of: "ada").count == 20)
            }
        }

        @Test func aSecondSignalEndsItAtOnce() async throws {
            try await Installation.with(notes: 4, simulator: ["--idempotency", "honour"]) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","times":1,"fault":{"kind":"hang","seconds":8}}"#
                )
                let first = try await installation.startWorker("first")
                let id = try await installation.insertJob("ada")
                try await installation.waitForJob(id, "three of four notes") { $0.processedNotes == 3 }
                // As `timeout` does it, which signals a program and its group: one signal.
                for _ in 1...2 { first.send(signal: SIGTERM) }
                try await first.waitForLine(containing: "running jobs hand themselves back")
                try await Task.sleep(for: .milliseconds(200))
                #expect(try await installation.job(id).status == .running, "it hears the call out")
                first.send(signal: SIGTERM)
                let exit = try await first.waitForExit(within: .seconds(3))
                #expect(exit == .code(1))
                #expect(try await installation.job(id).status == .running, "it had no time to hand back")
                try await installation.startWorker("second")
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                #expect(job.crashes == 1)
                try await eventually(within: .seconds(30), "the end of the hanging call") {
                    try await installation.peers.requests().creates >= 5
                }
                #expect(try await installation.peers.pages(of: "ada").count == 4)
            }
        }

        @Test func aNoteThatHangsDoesNotOutliveTheGracePeriod() async throws {
            try await Installation.with(notes: 4) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","times":1,"fault":{"kind":"hang","seconds":60}}"#
                )
                let first = try await installation.startWorker(
                    "first",
                    ["SYNC_SHUTDOWN_GRACE": "1s", "SYNC_LEASE": "60s"]
                )
                let id = try await installation.insertJob("ada")
                try await installation.waitForJob(id, "three of four notes") { $0.processedNotes == 3 }
                try await first.stop(within: .seconds(8))
                let handedBack = try await installation.job(id)
                #expect(handedBack.status == .queued)
                #expect(handedBack.attempt == 0)
                #expect(
                    try await installation.count("SELECT count(*) FROM sync_intents WHERE operation = 'create'") == 1
                )
                try await installation.startWorker("second")
                #expect(try await installation.waitForJob(id).status == .completed)
                #expect(try await installation.count("SELECT count(*) FROM sync_state") == 4)
            }
        }

        /// What became of its job can't be recorded, which a supervisor is to see.
        @Test func aBusyWorkerThatIsCutOffEndsSoonAfterItsGracePeriod() async throws {
            try await Installation.with(notes: 4) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","times":1,"fault":{"kind":"hang","seconds":60}}"#
                )
                let link = try await FaultyLink.start(to: installation.database.cluster.port)
                let url = "postgresql://postgres@127.0.0.1:\(link.port)/\(installation.database.name)"
                let worker = try await installation.startWorker(
                    "worker",
                    ["DATABASE_URL": url, "SYNC_SHUTDOWN_GRACE": "7s", "SYNC_LEASE": "60s"]
                )
                let id = try await installation.insertJob("ada")
                try await installation.waitForJob(id, "three of four notes") { $0.processedNotes == 3 }
                link.set(.hold)
                let began = ContinuousClock.now
                worker.send(signal: SIGTERM)
                #expect(try await worker.waitForExit(within: .seconds(20)) == .code(1), "\(worker.transcript)")
                #expect(ContinuousClock.now - began > .seconds(7), "it had a job in its hands")
                #expect(worker.standardOutput.contains { $0.contains("Running jobs will be rescued") })
                await link.stop()
            }
        }

        /// Its connections are silent, and new ones are answered: it says goodbye on one of those.
        @Test func anIdleWorkerWhoseConnectionsAreSilentLeavesNothingBehind() async throws {
            try await Installation.with(notes: 1) { installation in
                let link = try await FaultyLink.start(to: installation.database.cluster.port)
                let url = "postgresql://postgres@127.0.0.1:\(link.port)/\(installation.database.name)"
                let worker = try await installation.startWorker("worker", ["DATABASE_URL": url, "SYNC_LEASE": "60s"])
                try await eventually(within: .seconds(10), "the worker's row") {
                    try await installation.count("SELECT count(*) FROM sync_workers") == 1
                }
                link.swallow()
                worker.send(signal: SIGTERM)
                #expect(try await worker.waitForExit(within: .seconds(12)) == .code(0), "\(worker.transcript)")
                await link.stop()
            }
        }

        /// As under `nohup`: whoever starts it so wants it to outlive the terminal.
        @Test func anIgnoredHangupStaysIgnored() async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try installation.launchWorker(
                    "nohup",
                    by: ["/bin/sh", "-c", "trap '' HUP && exec \"$0\""]
                )
                try await worker.waitForLine(containing: "Ready.")
                try await installation.waitUntilListening("nohup")
                worker.send(signal: SIGHUP)
                await #expect(throws: (any Error).self) { try await worker.waitForExit(within: .seconds(2)) }
                worker.send(signal: SIGTERM)
                #expect(try await worker.waitForExit(within: .seconds(3)) == .code(0))
            }
        }

        @Test func anIdleWorkerStopsAtOnce() async throws {
            try await Installation.with(notes: 1) { installation in
                for signal in [SIGTERM, SIGINT, SIGHUP] {
                    let worker = try await installation.startWorker("idle")
                    try await installation.waitUntilListening("idle")
                    worker.send(signal: signal)
                    #expect(try await worker.waitForExit(within: .seconds(3)) == .code(0))
                }
            }
        }
    }
}
