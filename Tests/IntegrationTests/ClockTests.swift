import FlowControl
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Workers whose clocks are wrong by an hour: what they share goes by the database's. A database's clock that is set.
    @Suite struct ClockTests {
        private static let variable = ProcessInfo.processInfo.environment["SYNC_TEST_FAKETIME"]
        private static let fakeClock = variable.flatMap { $0.isEmpty ? nil : $0 }

        private static func start(_ name: String, _ offset: String, _ installation: Installation) async throws {
            let worker = try await installation.startWorker(
                name,
                [
                    "LD_PRELOAD": try #require(fakeClock), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "SYNC_NOTION_RATE": "20/s", "SYNC_WORKER_CONCURRENCY": "2",
                ]
            )
            let hour = String(Date(timeIntervalSinceNow: offset == "+1h" ? 3600 : -3600).formatted(.iso8601).prefix(13))
            #expect(worker.transcript.contains(hour), "its clock is wrong indeed: \(worker.transcript)")
        }

        @Test(.enabled(if: fakeClock != nil, "deploy/test --full"), .timeLimit(.minutes(3)))
        func gatesGoByTheDatabasesClock() async throws {
            try await Installation.with(notes: 10) { installation in
                let users = (1...4).map { "user-\($0)" }
                for user in users { try await installation.addUser(user, notionToken: "ntn_shared") }
                try await Self.start("ahead", "+1h", installation)
                try await Self.start("behind", "-1h", installation)
                // One pace for all of them: 80 permits at 20 a second, less a burst.
                var began = ContinuousClock.now
                for user in users { try await installation.insertJob(user) }
                try await installation.waitForAllJobs(within: .seconds(60))
                #expect(ContinuousClock.now - began > .seconds(2.5))
                #expect(try await installation.peers.pages().count == 40)
                // One closing, which neither cuts short nor keeps to for an hour.
                let gates = GateList(pool: installation.pool)
                _ = try await gates.close(GateName(.notionWriter), for: .seconds(10), reason: "Moved.")
                began = .now
                for user in users { try await installation.insertJob(user, full: true) }
                try await installation.waitForAllJobs(within: .seconds(60))
                #expect(ContinuousClock.now - began > .seconds(9))
                let attempts = try await installation.count("SELECT max(attempt) FROM sync_jobs")
                #expect(attempts == 1)
                #expect(try await installation.count("SELECT max(crashes) FROM sync_jobs") == 0)
            }
        }

        /// As by a time server that corrects it, or a failover to a machine whose clock is right.
        @Test(.enabled(if: fakeClock != nil, "deploy/test --full"), .timeLimit(.minutes(3)))
        func aClockThatIsSetForwardEndsNoLeaseOfAWorkerThatLives() async throws {
            let cluster = try await PrivateCluster.start(.init(clockLibrary: Self.fakeClock))
            try await Installation.with(notes: 4, cluster: cluster) { installation in
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","fault":{"kind":"latency","ms":2000,"jitter":0}}"#
                )
                let users = (1...4).map { "user-\($0)" }
                for user in users { try await installation.addUser(user, notionToken: "ntn_\(user)") }
                let settings = ["SYNC_WORKER_CONCURRENCY": "4", "SYNC_LEASE": "4s"]
                for name in ["a", "b", "c"] { try await installation.startWorker(name, settings) }
                for (round, offset) in [3600, 90_000].enumerated() {
                    try await installation.pool.execute("DELETE FROM sync_state")
                    for user in users { try await installation.insertJob(user, full: true) }
                    try await eventually(within: .seconds(20), "writes under way") {
                        try await installation.count("SELECT count(DISTINCT user_id) FROM sync_intents") == 4
                    }
                    try cluster.setClock(offset)
                    try await installation.waitForAllJobs(within: .seconds(60))
                    #expect(try await installation.count("SELECT sum(crashes) FROM sync_jobs") == 0, "\(offset)")
                    #expect(try await installation.peers.pages().count == 16 * (round + 1), "\(offset)")
                }
            }
            try await cluster.remove()
        }
    }
}
