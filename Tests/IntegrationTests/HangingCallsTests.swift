import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Calls of one user that take their time.
    @Suite struct HangingCallsTests {
        /// What has been sent is heard out, however long it takes, but in nobody's slot.
        @Test func cancelledJobsWhoseCallsHangHoldUpNobody() async throws {
            try await Installation.with(notes: 8) { installation in
                try await installation.addUser("hanging")
                try await installation.addUser("other", notionToken: "ntn_other")
                try await installation.peers.setFaults(
                    """
                    {"peer":"writer","operation":"create","match":{"database_id":"\(Installation.databaseID(of: "hanging"))"},
                     "fault":{"kind":"hang","seconds":20}}
                    """
                )
                let worker = try await installation.startWorker(
                    "worker",
                    ["NOTION_WRITER_TIMEOUT": "60s", "SYNC_WORKER_NOTE_CONCURRENCY": "8", "SYNC_LEASE": "10s"]
                )
                for _ in 1...5 {
                    let id = try await installation.insertJob("hanging")
                    try await Task.sleep(for: .milliseconds(800))
                    try await installation.pool.execute(
                        "UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)"
                    )
                }
                let began = ContinuousClock.now
                let other = try await installation.insertJob("other")
                try await installation.waitForJob(other, within: .seconds(10))
                #expect(ContinuousClock.now - began < .seconds(10))
                let sent = try await installation.count("SELECT count(*) FROM sync_intents WHERE user_id = 'hanging'")
                #expect(sent > 0, "they are under way")
                // A worker that stops hears them out too.
                try await worker.stop(within: .seconds(40))
                try await installation.startWorker("second")
                try await installation.peers.setFaults("")
                let last = try await installation.insertJob("hanging")
                try await installation.waitForJob(last, within: .seconds(60))
                #expect(try await installation.peers.pages(of: "hanging").count == 8)
                let unknown = try await installation.count(
                    "SELECT count(*) FROM sync_intents WHERE user_id = 'hanging'"
                )
                #expect(unknown == 0)
            }
        }
    }
}
