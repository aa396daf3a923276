import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Connections that stay open and say nothing any more, while new ones are answered: as behind a router that has forgotten
    /// them, or with server processes that hang.
    @Suite struct SilentConnectionTests {
        private static let notes = 60

        @Test func aJobIsBackAtWorkSoon() async throws {
            try await Installation.with(notes: Self.notes) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(80))
                let worker = try await installation.startWorker(
                    "worker",
                    ["SYNC_LEASE": "60s", "SYNC_NOTE_CONCURRENCY": "2"]
                )
                let job = try await installation.insertJob("ada")
                var waits: [Duration] = []
                for round in 1...3 {
                    try await installation.waitForWrites(round * 12)
                    let silent = try await installation.stopIdleBackends(of: "worker")
                    defer { for process in silent { kill(process, SIGCONT) } }
                    let began = ContinuousClock.now
                    let sent = try await installation.peers.requests().writes
                    // More than those whose intents were committed before.
                    try await installation.waitForWrites(sent + 5)
                    waits.append(.now - began)
                }
                let record = try await installation.waitForJob(job)
                #expect(record.status == .completed)
                #expect(record.crashes == 0 && record.attempt == 1, "it was never broken off")
                #expect(try await installation.peers.pages(of: "ada").count == Self.notes)
                #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0)
                #expect(worker.standardOutput.contains { $0.contains("gone silent") })
                // 0.7 s to the next check, 2 s for its answer, and the notes themselves.
                #expect(waits.allSatisfy { $0 < .seconds(8) }, "\(waits)")
                #expect(waits.sorted()[1] < .seconds(4), "\(waits)")
            }
        }
    }
}

extension Installation {
    /// Stops the server processes of a worker, all of them, at a moment when none of them holds a lock: a process that is stopped in
    /// the middle of a transaction keeps its locks.
    fileprivate func stopIdleBackends(of worker: String) async throws -> [pid_t] {
        var stopped: [pid_t] = []
        try await eventually(within: .seconds(10), "a moment without locks") {
            stopped = try await pool.query("SELECT pid FROM pg_stat_activity WHERE application_name = \(worker)").map {
                try $0.decode("pid", as: Int32.self)
            }
            for process in stopped { kill(process, SIGSTOP) }
            let locks = "SELECT count(*) FROM pg_locks WHERE pid = ANY (\(stopped))" as PostgresQuery
            guard try await count(locks) > 0 else { return true }
            for process in stopped { kill(process, SIGCONT) }
            return false
        }
        return stopped
    }
}
