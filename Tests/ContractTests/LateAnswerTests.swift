import CurlHTTP
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// Answers that come when another request has been sent for their note, or when the note has got another page.
@Suite(.timeLimit(.minutes(5)))
struct LateAnswerTests {
    /// Begins a sync of one note whose create takes long, and takes the job away from its worker, which still waits for
    /// the answer while its time seems to have passed.
    private func leaveCreateUnderWay(_ sync: SyncInstallation) async throws {
        let id = try await sync.insert()
        try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 1 }
        try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)")
        try await sync.pool.execute("UPDATE sync_intents SET open_until = now()")
    }

    /// The note's own calls, not those that ask whether the writer is well.
    private static let titled = [FaultRule.Criterion.title: "Title of n1"]

    private func slowly(_ milliseconds: Int, after calls: Int = 0) -> FaultRule {
        .strike(.create, .latency(milliseconds: milliseconds, jitter: 0), times: 1, after: calls, match: Self.titled)
    }

    @Test func theAnswerToTheFirstIsHeardAfterTheSecondWasRefused() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(slowly(5_000), refusal(after: 1))
            try await leaveCreateUnderWay(sync)
            let second = try await sync.sync()
            #expect(second.failedNotes == 1)
            try await eventually("the first answer on record") { try await sync.states().count == 1 }
            try await eventually("nothing is open") { try await sync.intents().isEmpty }
            try await sync.sync()
            try await sync.sync(full: true)
            #expect(sync.pages.count == 1)
            #expect(try await sync.surplusPages().isEmpty)
        }
    }

    private func refusal(after calls: Int) -> FaultRule {
        .strike(.create, .message("Conflict occurred while saving"), times: 1, after: calls, match: Self.titled)
    }

    /// A writer that knows keys answers both with one page, which has been updated by the time the first answer comes.
    @Test func aLateAnswerWithTheSamePageDoesNotUndoAnUpdate() async throws {
        var options = SyncInstallation.Options()
        options.peers.idempotency = .honour
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(slowly(6_000))
            try await leaveCreateUnderWay(sync)
            #expect(try await sync.sync().processedNotes == 1)
            sync.edit("n1", text: "The later version")
            #expect(try await sync.sync().processedNotes == 1)
            let updated = try #require(try await sync.states()["n1"])
            #expect(try await linesOfCreates(sync) == 1)
            try await eventually("the first answer on record") { try await linesOfCreates(sync) == 2 }
            sync.forgetCalls()
            try await sync.sync(full: true)
            #expect(sync.calls.updates == 0, "the text would be there twice")
            #expect(sync.pages.map(\.appended.count) == [2])
            #expect(try await sync.states()["n1"] == updated)
        }
    }

    private func linesOfCreates(_ sync: SyncInstallation) async throws -> Int {
        let rows = try await sync.pool.query(
            "SELECT count(*) AS lines FROM sync_logs WHERE message LIKE 'Created page%'"
        )
        return try rows[0].decode("lines")
    }

    /// The first request's version is on its page; the failure of a newer one is not forgotten for that.
    @Test func anEditThatFailedBeforeALateAnswerIsNotLost() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        options.sync.cursorLookback = .zero
        try await withInstallation(options) { sync in
            sync.notes(1)
            // The run that is paused knows of a failure.
            sync.faults(refusal(after: 0))
            #expect(try await sync.sync().failedNotes == 1)
            sync.forgetCalls()
            sync.faults(slowly(5_000), refusal(after: 1))
            try await leaveCreateUnderWay(sync)
            sync.edit("n1", text: "The later version")
            sync.note("newest", modified: "2030-01-01T00:00:00")
            sync.note("newer", modified: "2026-06-01T00:00:00")
            #expect(try await sync.sync().failedNotes == 1)
            try await eventually("the first answer on record") { try await sync.states()["n1"] != nil }
            try await eventually("nothing is open") { try await sync.intents().isEmpty }
            sync.faults()
            try await sync.sync()
            #expect(sync.pages(of: "n1").map(\.appended.last) == ["The later version"])
            #expect(try await sync.failedNotes().isEmpty)
        }
    }

    /// The page of record is the earlier version's; the later version is on the surplus page, and comes to the page of
    /// record.
    @Test(arguments: [false, true]) func anEditOnASurplusPageIsNotLost(_ hadFailed: Bool) async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(slowly(5_000), slowly(9_000, after: 1))
            try await leaveCreateUnderWay(sync)
            sync.edit("n1", text: "The later version")
            if hadFailed {
                try await sync.pool.execute(
                    """
                    INSERT INTO sync_failed_notes (user_id, keep_note_id, keep_modified_at, code, error, job_id)
                    VALUES ('ada', 'n1', '2026-01-01', 'peerFailed', 'As an earlier job said.', gen_random_uuid())
                    """
                )
            }
            #expect(try await sync.sync().status == .completed)
            #expect(sync.pages.count == 2)
            #expect(try await sync.surplusPages()["n1"]?.count == 1)
            try await sync.sync()
            let page = try #require(try await sync.states()["n1"]?.page)
            let shown = try #require(sync.pages.first { $0.id == page })
            #expect(shown.appended.last == "The later version")
            #expect(sync.pages.count == 2)
            let written = sync.calls.updates
            try await sync.sync()
            #expect(sync.calls.updates == written, "once")
        }
    }

    @Test func aLateAnswerOfAnotherDatabaseReplacesNothing() async throws {
        let new = "0123456789abcdef0123456789abcdef"
        var options = SyncInstallation.Options()
        options.sync.databaseChanges = .recreate
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(slowly(5_000))
            try await leaveCreateUnderWay(sync)
            try await sync.storeCredentials(database: new)
            #expect(try await sync.sync().processedNotes == 1)
            let page = try #require(try await sync.states()["n1"]?.page)
            #expect(try await sync.surplusPages() == ["n1": ["unknown"]], "it may have been made in the other database")
            try await eventually("the late answer on record") { try await sync.surplusPages()["n1"] != ["unknown"] }
            #expect(try await sync.surplusPages()["n1"]?.count == 1, "its page is known now")
            #expect(try await sync.states()["n1"]?.page == page)
            try await sync.sync(full: true)
            #expect(sync.simulator.pages.pages(databaseID: new).count == 1)
        }
    }

    /// Written by the replaced service after a rollback, for example.
    @Test func aNoteThatHasGotAPageIsNotCreatedAgain() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        options.sync.unknownCooldown = .milliseconds(1)
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.before, reset: true)))
            try await sync.sync()
            #expect(try await sync.intents().count == 1)
            try await sync.pool.execute(
                """
                INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at)
                VALUES ('ada', 'n1', 'by-another', '2026-01-02T03:01:00', timezone('utc', now()))
                """
            )
            sync.faults()
            sync.forgetCalls()
            let job = try await sync.sync()
            #expect((job.status, job.failedNotes) == (.completed, 0))
            #expect(sync.calls.creates == 0)
            #expect(try await sync.surplusPages() == ["n1": ["unknown"]])
            #expect(try await sync.intents().isEmpty)
            #expect(try await sync.lines("WARNING", of: job, note: "n1").count == 1)
            #expect(try await sync.states()["n1"]?.page == "by-another")
        }
    }

    /// An outside transaction that cancels a job and forgets the user's pages, against a worker that records pages.
    @Test func anOutsideTransactionIsNoVictimOfADeadlock() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 8
        try await withInstallation(options) { sync in
            sync.notes(59)
            try await sync.sync()
            sync.faults(.strike(.update, .latency(milliseconds: 100, jitter: 100)))
            for round in 1...2 {
                for number in 1...59 { sync.edit("n\(number)", text: "Round \(round)") }
                let id = try await sync.insert()
                try await eventually("updates under way") { try await sync.job(id).processedNotes > 5 }
                try await sync.pool.withTransaction { outside in
                    try await outside.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE job_id = \(id.rawValue)")
                    try await outside.execute("SELECT pg_sleep(1.5)")
                    try await outside.execute("DELETE FROM sync_state WHERE user_id = 'ada' AND keep_note_id <> 'none'")
                }
                #expect(try await sync.job(id).status == .cancelled)
                try await sync.sync()
            }
        }
    }
}

extension LateAnswerTests {
    /// One that has a note of the batch, and goes on to the others.
    @Test func anOutsideTransactionThatBeganWithANoteIsNoVictimOfADeadlock() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 16
        try await withInstallation(options) { sync in
            sync.notes(12)
            try await sync.sync()
            sync.faults(.strike(.update, .latency(milliseconds: 1_000, jitter: 0)))
            for number in 1...12 { sync.edit("n\(number)", text: "Edited") }
            sync.forgetCalls()
            let id = try await sync.insert()
            try await eventually("updates under way") { sync.simulator.requests.report.maxConcurrentWriterCalls == 12 }
            try await sync.pool.withTransaction { outside in
                try await outside.execute("DELETE FROM sync_state WHERE user_id = 'ada' AND keep_note_id = 'n6'")
                try await outside.execute("SELECT pg_sleep(4)")
                try await outside.execute("DELETE FROM sync_state WHERE user_id = 'ada' AND keep_note_id <> 'n12'")
            }
            try await eventually(within: .seconds(30), "the end of the job") {
                try await sync.job(id).status == .completed
            }
            try await sync.sync(full: true)
            #expect(try await sync.states().count == 12)
            #expect(try await sync.intents().isEmpty)
        }
    }
}

/// How long a job keeps its slot, and how often a note is sent, when the writer does not take it.
@Suite(.timeLimit(.minutes(5)))
struct PersistentFaultTests {
    /// More notes than slots: those that wait for a slot must not keep the job waiting.
    @Test(arguments: [90, 3600, 1_000_000_000])
    func aLongRetryAfterFreesTheSlotAtOnce(_ seconds: Int) async throws {
        try await withInstallation { sync in
            sync.notes(31)
            sync.faults(.strike(.create, .rateLimited(status: 429, retryAfter: seconds)))
            let began = ContinuousClock.now
            let job = try await sync.sync()
            #expect(job.status == .queued)
            #expect(ContinuousClock.now - began < .seconds(20))
            #expect(try await sync.intents().isEmpty)
            sync.faults()
            #expect(try await sync.again(job).processedNotes == 31)
            #expect(sync.pages.count == 31)
        }
    }

    /// Nothing else is written that could prove the writer well.
    @Test(arguments: [PeerSimulator.Operation.create, .update])
    func aWriteThatAlwaysOutlastsItsTimeoutIsSentAFewTimesOnly(_ operation: PeerSimulator.Operation) async throws {
        var options = SyncInstallation.Options()
        options.writerTimeout = .milliseconds(300)
        options.sync.unknownCooldown = .milliseconds(1)
        try await withInstallation(options) { sync in
            sync.notes(3)
            try await sync.sync()
            sync.faults(.strike(operation, .hang(seconds: 0.5, .after)))
            if operation == .create { sync.note("new") } else { sync.edit("n2", text: "Edited once") }
            for _ in 1...8 { try await sync.sync() }
            try await Task.sleep(for: .seconds(1))
            let most = SyncConfiguration().unknownLimit + 1
            if operation == .create {
                #expect((1...most).contains(sync.pages(of: "new").count))
            } else {
                #expect(sync.pages(of: "n2").flatMap(\.appended).count { $0 == "Edited once" } <= most)
            }
            // Once another call has succeeded it is written, and nothing stays open.
            sync.faults()
            sync.edit("n1", text: "Proof")
            try await sync.sync()
            #expect(try await sync.intents().isEmpty)
            #expect(try await sync.failedNotes().isEmpty)
        }
    }

    /// The writer answers some notes and then falls ill; nothing is written by what it does not answer.
    @Test func anOutageThatBeginsInMidRunLeavesNoNoteHeld() async throws {
        var options = SyncInstallation.Options()
        options.sync.unknownCooldown = .milliseconds(200)
        options.jobBackoff = Backoff(base: .milliseconds(50), cap: .milliseconds(100))
        try await withInstallation(options) { sync in
            sync.notes(40)
            sync.faults(.strike(.create, .status(code: 503, detail: .string("down"), headers: [:]), after: 12))
            let failed = try await sync.ended(try await sync.insert(), as: .failed)
            #expect(failed.errorMessage?.contains("Notion Writer is ill") == true)
            #expect(try await sync.intents().allSatisfy { $0.unknownCount < 2 })
            // Another job during the outage is not told as completed.
            #expect(try await sync.ended(try await sync.insert(), as: .failed).processedNotes < 40)
            sync.faults()
            let job = try await sync.sync()
            #expect((job.status, job.failedNotes) == (.completed, 0))
            #expect(sync.pages.count == 40)
            #expect(try await sync.failedNotes().isEmpty)
            #expect(try await sync.intents().isEmpty)
        }
    }
}
