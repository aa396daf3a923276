import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// A server has taken over that had not received all that the one before it had confirmed. Played by taking that
    /// back.
    @Suite struct LostRecordTests {
        /// What a job records later relies on what it has recorded before. Without that the cursor would pass a failed
        /// note of which nobody knows any more, and the note would not be asked for again until it changes.
        @Test func aJobWhoseRecordsAreLostIsRunAnew() async throws {
            try await Installation.with(notes: 0) { installation in
                let peers = installation.peers
                try await installation.addUser("ada")
                try await peers.createNote(title: "bad", text: "one")
                try await peers.createNote(title: "slow", text: "two")
                let slow = #"{"match":{"title":"slow"},"fault":{"kind":"latency","ms":2000,"jitter":0}}"#
                let bad = #"{"match":{"title":"bad"},"fault":{"kind":"status","code":409}}"#
                try await peers.setFaults("\(slow),\(bad)")
                try await installation.startWorker("worker", ["SYNC_NOTE_ATTEMPTS": "1", "SYNC_CURSOR_LOOKBACK": "0s"])
                let id = try await installation.insertJob("ada")
                try await eventually(within: .seconds(20), "the note's failure") {
                    try await installation.count("SELECT count(*) FROM sync_failed_notes") == 1
                }
                try await installation.pool.withTransaction { connection in
                    try await connection.execute("UPDATE sync_jobs SET last_write = last_write - 1")
                    try await connection.execute("DELETE FROM sync_failed_notes")
                }
                try await peers.setFaults(slow)
                let job = try await installation.waitForJob(id)
                #expect(job.status == .completed)
                // Its worker has handed it back, and did not die of it.
                #expect(job.crashes == 0)
                #expect(try await Set(peers.pages(of: "ada").map(\.title)) == ["bad", "slow"])
                #expect(try await installation.count("SELECT count(*) FROM sync_failed_notes") == 0)
            }
        }
    }
}
