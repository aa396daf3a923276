import JobQueue
import Postgres
import TestSupport
import Testing

@testable import Chaos

extension IntegrationTests {
    /// The database goes away while jobs run: the worker stays, and the work goes on.
    @Suite struct ConnectionLossTests {
        private static let users = ["ada", "bob", "cyd", "dan"]
        private static let notes = 25

        @Test func aLostListenConnectionIsOpenedAgain() async throws {
            try await Installation.with(notes: 2) { installation in
                try await installation.addUser("ada")
                let settings = ["SYNC_POLL_INTERVAL": "60s", "SYNC_LEASE": "60s"]
                let worker = try await installation.startWorker("worker", settings)
                try await installation.waitUntilListening("worker")
                for _ in 1...3 {
                    let lost = try #require(try await installation.listeners(of: "worker").first)
                    try await installation.pool.execute("SELECT pg_terminate_backend(\(lost))")
                    // Put in while nobody listens: found by the look that follows the new LISTEN.
                    let missed = try await installation.insertJob("ada")
                    try await installation.waitForJob(missed, within: .seconds(30))
                    try await eventually(within: .seconds(30), "a new LISTEN") {
                        let listeners = try await installation.listeners(of: "worker")
                        return listeners.count == 1 && listeners != [lost]
                    }
                    let heard = try await installation.insertJob("ada")
                    try await installation.waitForJob(heard, within: .seconds(10))
                }
                #expect(worker.exit == nil)
                #expect(try await installation.statuses() == ["completed": 6])
            }
        }

        @Test func allConnectionsAreKilledAgainAndAgain() async throws {
            try await Installation.with(notes: Self.notes, simulator: ["--idempotency", "honour"]) { installation in
                let worker = try await begin(installation)
                for round in 1...5 {
                    try await installation.waitForWrites(round * 12)
                    // On a busy machine the writes of the next round may be there before the worker is connected again.
                    try await eventually(within: .seconds(30), "connections to kill in round \(round)") {
                        try await installation.count(
                            """
                            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                            WHERE datname = current_database() AND application_name = 'worker'
                            """
                        ) > 0
                    }
                }
                try await expectAllWork(installation, worker)
            }
        }

        @Test(arguments: [PrivateCluster.StopMode.fast, .immediate])
        func theServerIsRestarted(_ mode: PrivateCluster.StopMode) async throws {
            let cluster = try await PrivateCluster.start()
            let simulator = ["--idempotency", "honour"]
            try await Installation.with(notes: Self.notes, simulator: simulator, cluster: cluster) { installation in
                let worker = try await begin(installation)
                for round in 1...2 {
                    try await installation.waitForWrites(round * 25)
                    try await cluster.restart(mode: mode)
                }
                try await expectAllWork(installation, worker)
            }
            try await cluster.remove()
        }

        @Test func theServerStaysAwayLongerThanALease() async throws {
            let cluster = try await PrivateCluster.start()
            let simulator = ["--idempotency", "honour"]
            try await Installation.with(notes: Self.notes, simulator: simulator, cluster: cluster) { installation in
                let worker = try await begin(installation)
                try await installation.waitForWrites(25)
                try await cluster.stop()
                // It gives its jobs up and sends nothing more for them once no lease is held any more: they last 3 s.
                await Clock.pause(milliseconds: 5_000)
                let writes = try await installation.peers.requests().writes
                await Clock.pause(milliseconds: 3_000)
                #expect(try await installation.peers.requests().writes == writes)
                let warnings = worker.standardOutput.count { $0.contains("heartbeat failed") }
                #expect(warnings == 1, "a fault that lasts is told of twice a minute")
                try await cluster.start()
                try await expectAllWork(installation, worker)
            }
            try await cluster.remove()
        }

        private func begin(_ installation: Installation) async throws -> ProgramRun {
            for user in Self.users { try await installation.addUser(user) }
            try await installation.peers.setLatency(.milliseconds(60))
            let worker = try await installation.startWorker("worker", ["SYNC_NOTE_CONCURRENCY": "2"])
            for user in Self.users { try await installation.insertJob(user, full: true) }
            return worker
        }

        private func expectAllWork(_ installation: Installation, _ worker: ProgramRun) async throws {
            try await installation.waitForAllJobs(within: .seconds(90))
            #expect(worker.exit == nil)
            #expect(try await installation.statuses() == ["completed": Self.users.count])
            for user in Self.users {
                let pages = try await installation.peers.pages(of: user)
                #expect(pages.count == Self.notes, "pages of \(user) lost or doubled")
            }
            #expect(try await installation.count("SELECT count(*) FROM sync_state") == Self.users.count * Self.notes)
            #expect(try await installation.count("SELECT count(*) FROM sync_failed_notes") == 0)
            try await worker.stop()
        }
    }
}
