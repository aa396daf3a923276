import Foundation
import JobQueue
import NoteSync
import Postgres
import Support
import TestSupport
import Testing

@testable import PeerSimulator

/// Notes of unknown outcome of a user who writes nothing else, once each was sent in vain to find out whether the
/// writer is well.
@Suite(.timeLimit(.minutes(5)))
struct QuietUserTests {
    private static let notes = ["n1", "n2"]

    /// The writer carries the notes' writes out and hangs up; it says that it is well and can look things up.
    private func breakWriter(
        _ sync: SyncInstallation,
        _ operation: PeerSimulator.Operation,
        _ notes: ArraySlice<String>
    ) {
        sync.simulator.faults.replace(
            with: notes.map { .strike(operation, .drop(.after, reset: true), match: [.title: "Title of \($0)"]) }
        )
    }

    /// An outage in which each of some notes was sent twice, the second time to find out whether it is over.
    private func leaveInDoubt(
        _ sync: SyncInstallation,
        _ operation: PeerSimulator.Operation,
        _ notes: ArraySlice<String>
    ) async throws {
        sync.notes(notes.count)
        if operation == .update {
            try await sync.sync()
            for note in notes { sync.edit(note, text: "First edit") }
        }
        breakWriter(sync, operation, notes)
        var job = try await sync.sync()
        for _ in 1...3 where job.status == .queued { job = try await sync.again(job) }
        #expect(try await sync.intents().map(\.unknownCount) == notes.map { _ in 2 })
        try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE status = 'queued'")
        sync.faults()
    }

    private func written(_ sync: SyncInstallation) -> [String] { sync.pages.flatMap(\.appended) }

    @Test(arguments: [PeerSimulator.Operation.create, .update])
    func anEditOfADoubtfulNoteShowsThatTheWriterIsWell(_ operation: PeerSimulator.Operation) async throws {
        try await withInstallation { sync in
            try await leaveInDoubt(sync, operation, Self.notes[...])
            let before = written(sync).count
            let quiet = try await sync.sync()
            #expect(quiet.status == .queued && written(sync).count == before, "nothing new is to be written")
            try await sync.pool.execute("UPDATE sync_jobs SET status = 'cancelled' WHERE status = 'queued'")
            sync.edit("n2", text: "Second edit")
            let job = try await sync.sync()
            #expect((job.status, job.processedNotes, job.failedNotes) == (.completed, 2, 0))
            #expect(written(sync).count { $0 == "Second edit" } == 1)
            #expect(written(sync).count == before + 2, "the other follows")
            #expect(try await sync.intents().isEmpty)
            #expect(try await sync.failedNotes().isEmpty)
            for note in Self.notes {
                let beside = try await sync.surplusPages()[note]?.count ?? 0
                #expect(beside == sync.pages(of: note).count - 1, "each page beside the note's own is on record")
            }
        }
    }

    /// However often its owner edits it while the outage goes on.
    @Test func editsInAnOutageMakeNoMorePagesThanTheLimitAllows() async throws {
        try await withInstallation { sync in
            try await leaveInDoubt(sync, .create, Self.notes.prefix(1))
            breakWriter(sync, .create, Self.notes.prefix(1))
            for round in 1...4 {
                sync.edit("n1", text: "Edit \(round)")
                var job = try await sync.sync()
                // The run in which the outcome is unknown ends as the writer is ill.
                if job.status == .queued { job = try await sync.again(job) }
                #expect((job.status, job.failedNotes) == (.completed, 1))
            }
            #expect(sync.pages(of: "n1").count == 3, "one for the edit, and then it waits for an operator")
            #expect(try await sync.failedNotes() == ["n1": "held"])
            let held = try await UnknownWrites(pool: sync.pool).list()
            #expect(held.map(\.next) == [.held] && held.map(\.sentAt.count) == [3] && held[0].waitsUntil == nil)
        }
    }

    /// `03:04:05 UTC` in six hours, give or take a minute.
    private func namesTheTime(_ text: String?) -> Bool {
        (-60...60).contains { (text ?? "").contains("until \(ClockTime.after(.seconds(6 * 3600 + $0)))") }
    }

    @Test(arguments: [1, 2]) func untilWhenTheyWaitIsSaid(_ count: Int) async throws {
        try await withInstallation { sync in
            try await leaveInDoubt(sync, .create, Self.notes.prefix(count))
            let job = try await sync.sync()
            if count == 1 {
                let last = try await JobClient(pool: sync.pool).logs(of: job.id).last?.message
                #expect(namesTheTime(last), "\(last ?? "")")
                let line = try await sync.lines("WARNING", of: job, note: "n1").first ?? ""
                #expect(line.contains("by the next one after: syncctl unknown retry ada n1"), "\(line)")
            } else {
                #expect(job.status == .queued)
                #expect(namesTheTime(job.lastError), "\(job.lastError ?? "")")
                #expect(job.lastError?.contains("syncctl unknown retry ada NOTE") == true, "\(job.lastError ?? "")")
            }
            let writes = UnknownWrites(pool: sync.pool)
            for write in try await writes.list() {
                let wait = try #require(write.waitsUntil).timeIntervalSinceNow
                #expect(write.next == .sentAgain && (6 * 3600 - 120...6 * 3600).contains(wait), "\(wait)")
            }
            let isAsked = try await writes.retry(user: UserID(SyncInstallation.user), note: "n1") != nil
            #expect(isAsked)
            for write in try await writes.list() {
                #expect((write.waitsUntil == nil) == (write.noteID == "n1"), "\(write.noteID)")
            }
            let done = count == 1 ? try await sync.sync() : try await sync.again(job)
            #expect((done.status, done.processedNotes, done.failedNotes) == (.completed, count, 0))
        }
    }

    @Test func whoeverSucceedsEndsTheWait() async throws {
        try await withInstallation { sync in
            try await leaveInDoubt(sync, .create, Self.notes[...])
            let writes = UnknownWrites(pool: sync.pool)
            #expect(try await writes.list().allSatisfy { $0.waitsUntil != nil })
            try await sync.recordWriterSuccess()
            #expect(try await writes.list().allSatisfy { $0.waitsUntil == nil })
            try await sync.pool.execute("DELETE FROM sync_peer_successes")
            try await sync.pool.execute("UPDATE sync_intents SET unknown_at = unknown_at - interval '6 hours'")
            #expect(try await writes.list().allSatisfy { $0.waitsUntil == nil }, "the next sync sends one")
        }
    }
}
