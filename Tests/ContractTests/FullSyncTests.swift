import Foundation
import JobQueue
import NoteSync
import Postgres
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(5)))
struct FullSyncTests {
    @Test func aFullSyncFetchesEverythingAndWritesNothingThatIsUpToDate() async throws {
        try await withInstallation { sync in
            sync.notes(5)
            try await sync.sync()
            for _ in 1...2 {
                let job = try await sync.sync(full: true)
                #expect(job.isFullSync)
                #expect((job.totalNotes, job.processedNotes) == (5, 5))
                #expect(sync.lastQuery == "username=ada&upload_images=true")
            }
            #expect(sync.pages.map(\.updates) == [0, 0, 0, 0, 0])
        }
    }

    @Test func aFullSyncWritesWhatIsNotUpToDate() async throws {
        try await withInstallation { sync in
            sync.notes(4)
            try await sync.sync()
            // Changed without a new time, so no incremental sync within the lookback would have to list it.
            sync.note("n1", text: "Changed", modified: "2025-01-01T00:00:00")
            sync.note("n5", modified: "2020-01-01T00:00:00")
            try await sync.pool.execute("DELETE FROM sync_state WHERE keep_note_id = 'n2'")
            try await sync.sync(full: true)
            #expect(sync.pages(of: "n1").map(\.appended) == [["Text", "Changed"]])
            #expect(sync.pages(of: "n5").count == 1)
            #expect(sync.pages(of: "n2").count == 2, "somebody wanted it anew")
            #expect(sync.pages(of: "n3").map(\.updates) == [0])
        }
    }

    /// A hash that can't be checked is none: the time decides, never that something has changed.
    @Test func aFullSyncWithAnotherInstallationKeyWritesNothing() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            try await sync.sync()
            try await sync.pool.execute(
                "UPDATE sync_state SET content_hash = '2:00000000:' || substr(content_hash, 12) WHERE keep_note_id <> 'n3'"
            )
            try await sync.pool.execute("UPDATE sync_state SET content_hash = '1:abcd' WHERE keep_note_id = 'n3'")
            let job = try await sync.sync(full: true)
            #expect(job.processedNotes == 3)
            #expect(sync.calls.updates == 0)
            sync.edit("n2")
            try await sync.sync()
            #expect(sync.calls.updates == 1)
        }
    }

    @Test func aFullSyncMayMoveTheCursorBack() async throws {
        try await withInstallation { sync in
            sync.note("n1", modified: "2026-01-02T12:00:00")
            sync.note("n2", modified: "2026-01-01T12:00:00")
            try await sync.sync()
            _ = sync.simulator.noteLibrary.trash(id: "n1")
            try await sync.sync(full: true)
            #expect(try await sync.cursor() == "2026-01-01T12:00:00.000000")
        }
    }

    @Test func aRetriedSyncContinuesWhereItStopped() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 2
        for full in [false, true] {
            try await withInstallation(options) { sync in
                sync.notes(10)
                let breaks = Fault.status(code: 404, detail: .string("Not Found"), headers: [:])
                sync.faults(.strike(.create, breaks, times: 1, after: 4))
                let waiting = try await sync.sync(full: full)
                #expect(waiting.status == .queued)
                #expect(waiting.lastError?.contains("NOTION_WRITER_URL") == true)
                #expect(try await sync.cursor() == nil)
                let done = try await sync.again(waiting)
                #expect(done.processedNotes == 10)
                #expect(sync.pages.count == 10)
            }
        }
    }
}
