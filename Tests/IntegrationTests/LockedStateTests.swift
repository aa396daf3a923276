import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

extension IntegrationTests {
    /// Rows of users that somebody has locked, as in a psql that was left open in a transaction.
    @Suite struct LockedStateTests {
        private static let locked = ["a", "b", "c", "d"]

        /// Each holds up its own job alone: the others find free places.
        @Test(arguments: [
            "UPDATE sync_state SET last_synced_at = last_synced_at", "UPDATE sync_cursors SET user_id = user_id",
        ])
        func lockedRowsHoldUpNoOther(_ statement: String) async throws {
            try await Installation.with(notes: 4) { installation in
                for user in Self.locked + ["free"] { try await installation.addUser(user, notionToken: "ntn_\(user)") }
                try await installation.startWorker(
                    "worker",
                    ["SYNC_WORKER_NOTE_CONCURRENCY": "4", "SYNC_LEASE": "30s"]
                )
                for user in Self.locked { _ = try await installation.insertJob(user) }
                try await installation.waitForAllJobs()
                for note in try await installation.peers.notes() {
                    try await installation.peers.editNote(note.id, text: "changed")
                }
                let outside = try await installation.database.connect()
                try await outside.runScript("BEGIN; \(statement)")
                for user in Self.locked { _ = try await installation.insertJob(user, full: true) }
                try await Task.sleep(for: .seconds(1))
                let free = try await installation.insertJob("free")
                try await installation.waitForJob(free, within: .seconds(15))
                try await eventually(within: .seconds(15), "the others are put off") {
                    try await installation.count(
                        "SELECT count(*) FROM sync_jobs WHERE last_error ~ 'has rows of the user, or a table, locked'"
                    )
                        == Self.locked.count
                }
                #expect(try await installation.count("SELECT count(*) FROM sync_jobs WHERE attempt > 1") == 0)
                try await outside.runScript("ROLLBACK")
                await outside.close()
                try await installation.waitForAllJobs()
                try await expectEachPageOnce(installation)
            }
        }

        /// An index that is built on the log keeps lines from being added for minutes: notes are written and recorded
        /// all the same.
        @Test func aLockedLogHoldsUpNoNote() async throws {
            try await Installation.with(notes: 12) { installation in
                try await installation.addUser("ada", notionToken: "ntn_ada")
                let worker = try await installation.startWorker("worker", ["SYNC_LEASE": "30s"])
                let outside = try await installation.database.connect()
                try await outside.runScript("BEGIN; LOCK TABLE sync_logs IN SHARE MODE")
                let job = try await installation.insertJob("ada", full: true)
                try await installation.waitForJob(job, within: .seconds(20))
                #expect(try await installation.job(job).snoozes == 0)
                let recorded = try await installation.count("SELECT count(*) FROM sync_state")
                #expect(recorded == 12)
                try await outside.runScript("ROLLBACK")
                await outside.close()
                #expect(worker.standardOutput.contains { $0.contains("sync_logs locked") })
                #expect(try await installation.peers.pages(of: "ada").count == 12)
            }
        }

        /// Whoever may change credentials may lock all of them: jobs give their slots back, and a worker that starts
        /// waits.
        @Test(arguments: ["credentials", "sync_state", "sync_installation_keys"])
        func aLockedTableEndsNothing(_ table: String) async throws {
            try await Installation.with(notes: 4) { installation in
                for user in Self.locked + ["free"] { try await installation.addUser(user, notionToken: "ntn_\(user)") }
                try await installation.startWorker("worker", ["SYNC_LEASE": "30s"])
                try await installation.waitForJob(try await installation.insertJob("free"))
                let outside = try await installation.database.connect()
                try await outside.runScript("BEGIN; LOCK TABLE \(table)")
                for user in Self.locked { _ = try await installation.insertJob(user, full: true) }
                try await eventually(within: .seconds(15), "all jobs are put off") {
                    try await installation.count(
                        "SELECT count(*) FROM sync_jobs WHERE snoozes > 0 AND status = 'queued'"
                    )
                        == Self.locked.count
                }
                let late = try installation.launchWorker("late")
                if table != "sync_state" {
                    try await late.waitForLine(containing: "has a table locked")
                    // Longer than a database that does not answer is waited for would take to try.
                    try await Task.sleep(for: .seconds(5))
                    #expect(late.exit == nil, "\(late.transcript)")
                }
                try await outside.runScript("ROLLBACK")
                await outside.close()
                try await late.waitForLine(containing: "Ready.")
                try await installation.waitForAllJobs()
                #expect(
                    try await installation.count("SELECT count(*) FROM sync_jobs WHERE attempt > 1 OR crashes > 0") == 0
                )
                try await expectEachPageOnce(installation)
            }
        }

        /// For longer than a request may be under way, what the worker has heard can't be recorded: nobody sends it
        /// again.
        @Test(arguments: [
            "DELETE FROM sync_logs; DELETE FROM sync_jobs WHERE user_id = 'a'", "LOCK TABLE sync_state IN SHARE MODE",
        ])
        func whatIsHeardUnderALockIsNotSentAgain(_ statement: String) async throws {
            try await Installation.with(notes: 4) { installation in
                for user in ["a", "free"] { try await installation.addUser(user, notionToken: "ntn_\(user)") }
                try await installation.peers.setLatency(.seconds(2))
                for name in ["one", "two"] { try await installation.startWorker(name, ["SYNC_LEASE": "6s"]) }
                _ = try await installation.insertJob("a")
                try await eventually(within: .seconds(15), "requests under way") {
                    try await installation.count("SELECT count(*) FROM sync_intents") == 4
                }
                let outside = try await installation.database.connect()
                try await outside.runScript("BEGIN; \(statement)")
                // A request may be under way for its 3 s and 5 s more.
                try await Task.sleep(for: .seconds(16))
                try await outside.runScript("COMMIT")
                await outside.close()
                _ = try await installation.insertJob("a", full: true)
                try await installation.waitForAllJobs()
                #expect(try await installation.peers.pages(of: "a").count == 4)
                #expect(try await installation.count("SELECT count(*) FROM sync_surplus_pages") == 0)
                #expect(try await installation.count("SELECT count(*) FROM sync_state") == 4)
                #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0)
            }
        }

        private func expectEachPageOnce(_ installation: Installation) async throws {
            for user in Self.locked + ["free"] {
                #expect(try await installation.peers.pages(of: user).count == 4, "\(user)")
            }
            #expect(try await installation.count("SELECT count(*) FROM sync_state") == 20)
            #expect(try await installation.count("SELECT count(*) FROM sync_intents") == 0)
            #expect(try await installation.count("SELECT count(*) FROM sync_jobs WHERE status <> 'completed'") == 0)
        }
    }
}
