import JobQueue
import NoteSync
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(1)))
struct FullSyncTests {
    @Test func aFullSyncFetchesEverythingAndWritesEveryNoteOnce() async throws {
        try await withInstallation { sync in
            sync.notes(5)
            try await sync.sync()
            let job = try await sync.sync(full: true)
            #expect(job.isFullSync)
            #expect((job.totalNotes, job.processedNotes) == (5, 5))
            #expect(sync.lastQuery == "username=ada&upload_images=true")
            #expect(sync.pages.map(\.updates) == [1, 1, 1, 1, 1])
        }
    }

    @Test func aRetriedFullSyncDoesNotWriteAgainWhatItHasWritten() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 2
        try await withInstallation(options) { sync in
            sync.notes(12)
            try await sync.sync()
            sync.note("new")
            let breaks = Fault.status(code: 404, detail: .string("Not Found"), headers: [:])
            sync.faults(.strike(.update, breaks, times: 1, after: 5))
            var job = try await sync.sync(full: true)
            #expect(job.status == .queued)
            sync.faults(.strike(.update, breaks, times: 1, after: 3))
            job = try await sync.again(job)
            #expect(job.status == .queued)
            job = try await sync.again(job)
            #expect(job.status == .completed)
            #expect(job.attempt == 3)
            #expect((job.totalNotes, job.processedNotes, job.failedNotes) == (13, 13, 0))
            #expect(sync.pages.count == 13)
            #expect(sync.pages.filter { $0.title != "Title of new" }.allSatisfy { $0.updates == 1 })
            #expect(sync.pages(of: "new").map(\.updates) == [0], "created by this job, so written by it")
        }
    }

    @Test func theNextFullSyncWritesEveryNoteAgain() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            for _ in 1...3 { try await sync.sync(full: true) }
            #expect(sync.pages.map(\.updates) == [2, 2, 2])
        }
    }

    @Test func aRetriedIncrementalSyncGoesOnWhereItStopped() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 2
        try await withInstallation(options) { sync in
            sync.notes(10)
            let breaks = Fault.status(code: 404, detail: .string("Not Found"), headers: [:])
            sync.faults(.strike(.create, breaks, times: 1, after: 4))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.lastError?.contains("NOTION_WRITER_URL") == true)
            #expect(try await sync.cursor() == nil)
            let done = try await sync.again(waiting)
            #expect(done.processedNotes == 10)
            #expect(sync.pages.count == 10)
        }
    }
}
