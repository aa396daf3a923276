import JobQueue
import NoteSync
import TestSupport
import Testing

@testable import PeerSimulator

/// What goes wrong with one note stays with that note; what goes wrong with the writer is the job's.
@Suite(.timeLimit(.minutes(5)))
struct NoteFailureTests {
    @Test func oneNotesFaultNeverStopsTheOthers() async throws {
        try await withInstallation { sync in
            sync.notes(30)
            sync.faults(
                .strike(.create, .message("body failed validation"), match: [.title: "Title of n3"]),
                .strike(.create, .message("Conflict occurred while saving"), match: [.title: "Title of n9"]),
                .strike(.create, .drop(.after, reset: true), match: [.title: "Title of n17"])
            )
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.totalNotes, job.processedNotes, job.failedNotes) == (30, 27, 3))
            #expect(job.errorMessage == nil)
            #expect(sync.alerts.lines.isEmpty)
            #expect(try await sync.states().count == 27)
            #expect(try await sync.failedNotes().keys.sorted() == ["n17", "n3", "n9"])
            #expect(try await sync.cursor() == "2026-01-02T03:30:00.000000")
        }
    }

    @Test func allNotesFailedAndTheJobIsStillCompleted() async throws {
        try await withInstallation { sync in
            sync.notes(4)
            sync.faults(.strike(.create, .message("body failed validation")))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (0, 4))
        }
    }

    @Test func triesOfANoteWaitLongerEachTime() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 4
        options.sync.noteBackoffBase = .milliseconds(200)
        options.sync.noteBackoffCap = .milliseconds(200)
        try await withInstallation(options) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .message("Conflict occurred while saving"), times: 2))
            let began = ContinuousClock.now
            let job = try await sync.sync()
            #expect(job.processedNotes == 1)
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(sync.calls.creates == 3)
        }
    }

    @Test func progressShowsWhileTheJobRuns() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 1
        try await withInstallation(options) { sync in
            sync.notes(6)
            sync.faults(.strike(.create, .hang(seconds: 5, .before), times: 1, after: 3))
            let id = try await sync.insert()
            try await eventually("three notes processed") { try await sync.job(id).processedNotes == 3 }
            let running = try await sync.job(id)
            #expect(running.status == .running)
            #expect(running.totalNotes == 6)
            #expect(running.completedAt == nil)
            #expect(try await sync.settled(id).processedNotes == 6)
        }
    }

    @Test func aWriterThatIsAwayIsTheJobsFault() async throws {
        var options = SyncInstallation.Options()
        options.writerURL = SyncInstallation.deadURL
        try await withInstallation(options) { sync in
            sync.notes(30)
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.attempt == 1)
            #expect(waiting.failedNotes == 0)
            #expect(waiting.lastError?.contains("NOTION_WRITER_URL") == true)
            #expect(try await sync.failedNotes().isEmpty)
            #expect(try await sync.intents().isEmpty, "nothing was sent")
            #expect(try await sync.cursor() == nil)
        }
    }

    @Test func aWriterThatIsAwayAtEveryAttemptFailsTheJob() async throws {
        var options = SyncInstallation.Options()
        options.writerURL = SyncInstallation.deadURL
        options.jobBackoff = Backoff(base: .milliseconds(1), cap: .milliseconds(1))
        try await withInstallation(options) { sync in
            sync.notes(1)
            let job = try await sync.ended(try await sync.insert(), as: .failed)
            #expect(job.attempt == job.maximumAttempts)
            #expect(sync.alerts.lines.count == 1)
        }
    }

    @Test(arguments: [401, 403, 404, 405]) func anAddressThatIsNoWriterIsTheJobsFault(_ code: Int) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .body(code: code, text: "<html>nginx</html>"), times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.lastError?.contains("NOTION_WRITER_URL") == true)
            #expect(try await sync.again(waiting).processedNotes == 3)
            #expect(sync.pages.count == 3)
        }
    }

    @Test(arguments: [301, 307, 308]) func aRedirectIsOneClearError(_ code: Int) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            let moved = Fault.status(code: code, detail: .null, headers: ["Location": "https://elsewhere.example/"])
            sync.faults(.strike(.create, moved))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.lastError?.contains("redirect") == true)
            #expect(waiting.lastError?.contains("NOTION_WRITER_URL") == true)
            #expect(try await sync.intents().isEmpty, "nothing is unknown")
            #expect(sync.calls.creates <= 3)
            sync.faults(.strike(.notes, moved))
            let keep = try await sync.again(waiting)
            #expect(keep.lastError?.contains("KEEP_EXTRACTOR_URL") == true)
        }
    }

    @Test(arguments: [400, 413]) func aRefusalOfTheRequestIsTheNotesFault(_ code: Int) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            let detail = JSONValue.string("Request Entity Too Large")
            sync.faults(.strike(.create, .status(code: code, detail: detail, headers: [:]), times: 1))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (2, 1))
            #expect(sync.calls.creates == 3)
            #expect(try await sync.intents().isEmpty, "it was refused for certain")
        }
    }
}
