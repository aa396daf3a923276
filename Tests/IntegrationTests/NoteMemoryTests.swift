import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Many jobs at once, each with notes of megabytes whose writes get no answer.
    @Suite struct NoteMemoryTests {
        private static let users = 12
        private static let noteMegabytes = 2

        @Test func largeNotesOfManyJobsAreInMemoryAFewAtATime() async throws {
            let simulator = ["--note-bytes", "\(Self.noteMegabytes << 20)"]
            try await Installation.with(notes: 4, simulator: simulator) { installation in
                try await installation.peers.setFaults(
                    #"{"peer":"writer","operation":"create","fault":{"kind":"hang","seconds":60}}"#
                )
                for user in 1...Self.users { try await installation.addUser("user-\(user)") }
                let worker = try await installation.startWorker(
                    "worker",
                    ["SYNC_WORKER_CONCURRENCY": "\(Self.users)", "NOTION_WRITER_TIMEOUT": "60s"]
                )
                let before = try worker.peakMemory
                for user in 1...Self.users { try await installation.insertJob("user-\(user)") }
                try await eventually(within: .seconds(60), "the fetches, and the first writes") {
                    let requests = try await installation.peers.requests()
                    return requests.fetches >= Self.users && requests.creates > 0
                }
                // The last fetch has been answered, and its job has had the time to read.
                try await Task.sleep(for: .seconds(3))
                let grown = try worker.peakMemory - before
                print("large notes of \(Self.users) jobs: \(grown) MiB more than \(before)")
                #expect(
                    grown < 100,
                    "MiB more than \(before); the notes of all jobs are \(4 * Self.users * Self.noteMegabytes)"
                )
                await worker.kill()
            }
        }
    }
}
