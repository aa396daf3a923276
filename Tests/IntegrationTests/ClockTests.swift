import FlowControl
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Workers whose clocks are wrong by an hour: what they share goes by the database's.
    @Suite struct ClockTests {
        private static let variable = ProcessInfo.processInfo.environment["SYNC_TEST_FAKETIME"]
        private static let library = variable.flatMap { $0.isEmpty ? nil : $0 }

        private static func start(_ name: String, _ offset: String, _ installation: Installation) async throws {
            let worker = try await installation.startWorker(
                name,
                [
                    "LD_PRELOAD": try #require(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "SYNC_NOTION_RATE": "20/s", "SYNC_WORKER_CONCURRENCY": "2",
                ]
            )
            let hour = String(Date(timeIntervalSinceNow: offset == "+1h" ? 3600 : -3600).formatted(.iso8601).prefix(13))
            #expect(worker.transcript.contains(hour), "its clock is wrong indeed: \(worker.transcript)")
        }

        @Test(.enabled(if: library != nil, "deploy/test --full"), .timeLimit(.minutes(3)))
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
    }
}
