import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// A worker that may open few files, and so few connections.
    @Suite struct OpenFilesTests {
        /// More at once than the limit allows.
        private static let settings = ["SYNC_WORKER_CONCURRENCY": "8", "SYNC_NOTE_CONCURRENCY": "16"]

        @Test func jobsThatFindNoneLeftArePutOffAndSpendNoAttempt() async throws {
            try await Installation.with(notes: 10) { installation in
                let users = (1...5).map { "user-\($0)" }
                for user in users { try await installation.addUser(user) }
                try await installation.peers.setLatency(.milliseconds(200))
                let worker = try installation.launchWorker(
                    "worker",
                    Self.settings.merging(["SYNC_WORKER_NOTE_CONCURRENCY": "96"]) { $1 },
                    openFiles: "-n 56"
                )
                let warning = try await worker.waitForLine(containing: "limit of open files is lower")
                #expect(warning.contains("56"), "\(warning)")
                try await worker.waitForLine(containing: "Ready.")
                for user in users { try await installation.insertJob(user) }
                let line = try await worker.waitForLine(containing: "limit of open files (56) is reached")
                #expect(line.contains("ulimit -n") && !line.contains("Check that the service runs"), "\(line)")
                try await installation.waitForAllJobs(within: .seconds(300))
                let jobs = try await installation.count(
                    "SELECT count(*) FROM sync_jobs WHERE status = 'completed' AND failed_notes = 0 AND attempt = 1"
                )
                #expect(jobs == users.count, "\(worker.transcript)")
                for user in users { #expect(try await installation.peers.pages(of: user).count == 10) }
                try await worker.stop()
            }
        }

        @Test func aLimitWithRoomAboveItIsRaised() async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try installation.launchWorker("worker", openFiles: "-S -n 40")
                try await worker.waitForLine(containing: "Ready.")
                let limits = try String(contentsOfFile: "/proc/\(worker.processID)/limits", encoding: .utf8)
                let numbers = limits.split(separator: "\n").first { $0.hasPrefix("Max open files") }?
                    .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
                #expect(numbers?.count == 2 && numbers?.first == numbers?.last, "\(limits)")
                #expect(!worker.transcript.contains("limit of open files"))
            }
        }

        @Test(arguments: [12, 30])
        func aLimitWithWhichNoJobCouldRunIsNamedAtTheStart(limit: Int) async throws {
            try await Installation.with(notes: 1) { installation in
                let worker = try installation.launchWorker("worker", openFiles: "-n \(limit)")
                #expect(try await worker.waitForExit() == .code(78), "\(worker.transcript)")
                #expect(worker.standardError.count == 1)
                let message = worker.standardError.first ?? ""
                #expect(message.contains("limit of open files is \(limit); a worker needs"), "\(message)")
            }
        }
    }
}
