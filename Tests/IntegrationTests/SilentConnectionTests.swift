import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Connections that stay open and say nothing any more, while new ones are answered: as behind a router that has
    /// forgotten them, or with server processes that hang.
    @Suite struct SilentConnectionTests {
        private static let rounds = max(3, RecoveryTimes.samples)
        private static let notes = rounds * 20

        enum Silence: String, Sendable, CaseIterable {
            case allConnections = "half-open connections"
            /// That on which notes are recorded; the leases' own is answered.
            case oneConnection = "one half-open connection"
        }

        @Test(arguments: Silence.allCases)
        func aJobIsBackAtWorkSoon(_ silence: Silence) async throws {
            try await Installation.with(notes: Self.notes) { installation in
                try await installation.addUser("ada")
                try await installation.peers.setLatency(.milliseconds(80))
                let worker = try await installation.startWorker(
                    "worker",
                    ["SYNC_LEASE": "60s", "SYNC_NOTE_CONCURRENCY": "2"]
                )
                let job = try await installation.insertJob("ada")
                var waits = RecoveryTimes(silence.rawValue)
                for round in 1...Self.rounds {
                    try await installation.waitForWrites(round * 12)
                    let silent = try await installation.stopIdleBackends(
                        of: "worker",
                        atMost: silence == .allConnections ? .max : 1
                    )
                    defer { for process in silent { kill(process, SIGCONT) } }
                    let began = ContinuousClock.now
                    let sent = try await installation.peers.requests().writes
                    // More than those whose intents were committed before.
                    try await installation.waitForWrites(sent + 5)
                    waits.add(.now - began)
                }
                let record = try await installation.waitForJob(job)
                #expect(record.status == .completed)
                #expect(record.crashes == 0 && record.attempt == 1, "it was never broken off")
                #expect(try await installation.peers.pages(of: "ada").count == Self.notes)
                #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0)
                #expect(worker.standardOutput.contains { $0.contains("gone silent") })
                // 0.7 s to the next check, 2 s for its answer, and the notes themselves.
                #expect(waits.longest < .seconds(8), "\(waits)")
                #expect(waits.median < .seconds(4), "\(waits)")
                waits.show()
            }
        }
    }
}

extension Installation {
    /// Stops the server processes of a worker at a moment when none of them holds a lock: a process that is stopped
    /// in the middle of a transaction keeps its locks.
    ///
    /// - Parameter most: stops only so many, those first that ran a statement last: the outcomes of notes are
    ///   recorded twenty times
    ///   a second here, the leases looked at every 0.7 s.
    fileprivate func stopIdleBackends(of worker: String, atMost most: Int64) async throws -> [pid_t] {
        var stopped: [pid_t] = []
        try await eventually(within: .seconds(10), "a moment without locks") {
            stopped = try await pool.query(
                """
                SELECT pid FROM pg_stat_activity
                WHERE application_name = \(worker)
                ORDER BY query_start DESC NULLS LAST LIMIT \(most)
                """
            ).map { try $0.decode("pid", as: Int32.self) }
            guard !stopped.isEmpty else { return false }
            for process in stopped { kill(process, SIGSTOP) }
            let locks = "SELECT count(*) FROM pg_locks WHERE pid = ANY (\(stopped))" as PostgresQuery
            guard try await count(locks) > 0 else { return true }
            for process in stopped { kill(process, SIGCONT) }
            return false
        }
        return stopped
    }
}
