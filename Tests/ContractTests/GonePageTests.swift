import JobQueue
import NoteSync
import TestSupport
import Testing

@testable import PeerSimulator

/// Pages that were deleted, unshared or put in the trash.
@Suite(.timeLimit(.minutes(5)))
struct GonePageTests {
    /// An installation whose notes `n1`… are all in Notion.
    private func withPages(
        _ count: Int,
        _ options: SyncInstallation.Options = .init(),
        _ body: (SyncInstallation) async throws -> Void
    ) async throws {
        try await withInstallation(options) { sync in
            sync.notes(count)
            try await sync.sync()
            sync.forgetCalls()
            try await body(sync)
        }
    }

    @Test func oneChangeOfPermissionsDoesNotDoubleAUsersPages() async throws {
        try await withPages(20) { sync in
            let before = try await sync.states()
            for number in 1...20 { sync.edit("n\(number)") }
            sync.note("new", modified: "2026-01-02T04:00:00")
            sync.simulator.pages.setShared(false, databaseID: SyncInstallation.databaseID)
            let failed = try await sync.sync()
            #expect(failed.status == .failed)
            #expect(failed.errorMessage?.contains("Share it") == true)
            #expect(sync.alerts.lines.count == 1)
            #expect(sync.pages.count == 20)
            #expect(try await sync.states() == before, "no page is forgotten")

            sync.simulator.pages.setShared(true, databaseID: SyncInstallation.databaseID)
            let done = try await sync.sync()
            #expect(done.status == .completed)
            #expect(done.failedNotes == 0)
            #expect(sync.pages.count == 21)
            #expect(sync.pages(of: "n7").map(\.updates) == [1])
            #expect(sync.pages.allSatisfy { $0.updates <= 1 })
        }
    }

    @Test func anUnsharedDatabaseCostsOneCreateAtMost() async throws {
        try await withPages(20) { sync in
            for number in 1...20 { sync.edit("n\(number)") }
            sync.simulator.pages.setShared(false, databaseID: SyncInstallation.databaseID)
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(sync.calls.creates == 1, "one note finds out for all")
        }
    }

    @Test(arguments: [NotionPage.Presence.removed, .removedBlock])
    func aRemovedPageIsCreatedAnew(_ presence: NotionPage.Presence) async throws {
        try await withPages(3) { sync in
            let gone = try #require(try await sync.states()["n2"]?.page)
            _ = sync.simulator.pages.setPresence(presence, id: gone)
            sync.edit("n2", text: "Second life")
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (3, 0))
            #expect(sync.calls.creates == 1)
            let page = try #require(sync.pages(of: "n2").last)
            #expect(page.id != gone)
            #expect(page.appended == ["Second life"])
            #expect(try await sync.states()["n2"]?.page == page.id)
            #expect(try await sync.lines("WARNING", of: job, note: "n2") == ["The page is gone; it is created anew."])
            #expect(try await sync.intents().isEmpty)
            sync.edit("n2", text: "Third")
            try await sync.sync()
            #expect(sync.simulator.pages.page(id: page.id)?.updates == 1)
        }
    }

    @Test func allPagesRemovedFromAReachableDatabaseAreCreatedAnewOnce() async throws {
        try await withPages(12) { sync in
            for page in sync.pages { _ = sync.simulator.pages.setPresence(.removed, id: page.id) }
            for number in 1...12 { sync.edit("n\(number)") }
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect(sync.calls == .init(logins: 1, fetches: 1, creates: 12, updates: 12))
            #expect(sync.pages.filter { $0.presence == .live }.count == 12)
        }
    }

    @Test func whileTheDatabaseIsNotProvenOneNoteTriesAlone() async throws {
        try await withPages(8) { sync in
            for page in sync.pages { _ = sync.simulator.pages.setPresence(.removed, id: page.id) }
            for number in 1...8 { sync.edit("n\(number)") }
            // The first create says nothing of the database; only then may another try.
            sync.faults(.strike(.create, .message("body failed validation"), times: 1))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (7, 1))
            for id in try await sync.failedNotes().keys { sync.edit(id, text: "Mended") }
            let next = try await sync.sync()
            #expect(next.failedNotes == 0)
            #expect(sync.pages.filter { $0.presence == .live }.count == 8)
        }
    }

    // MARK: - Trash

    @Test(arguments: [false, true]) func anEditOfAPageInTheTrashWaitsUntilItIsBack(_ isEditedAgain: Bool) async throws {
        try await withPages(3) { sync in
            let before = try #require(try await sync.states()["n2"])
            _ = sync.simulator.pages.setPresence(.trashed, id: before.page)
            sync.edit("n2", text: "Edited")
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (3, 0), "it is settled for now")
            #expect(sync.pages.count == 3)
            #expect(try await sync.lines("WARNING", of: job, note: "n2").count == 1)
            #expect(
                try await sync.states()["n2"] == before,
                "the page does not show the edit, and the tables don't say so"
            )
            #expect(try await sync.intents().isEmpty)
            #expect(sync.calls.updates == 1)
            #expect(try await sync.lines("INFO", of: job).last?.contains("1 left in the trash, 0 failed") == true)
            let next = try await sync.sync()
            let numbers = try #require(try await sync.lines("INFO", of: next).last?.matches(of: #/(\d+) /#))
                .compactMap { Int($0.output.1) }
            #expect(numbers.dropFirst().reduce(0, +) == numbers.first, "the counts add up")
            #expect(sync.calls.updates == 1, "not sent again while the note stays as it is")

            _ = sync.simulator.pages.setPresence(.live, id: before.page)
            if isEditedAgain { sync.edit("n2", text: "Edited again") }
            try await sync.sync(full: !isEditedAgain)
            let page = sync.simulator.pages.page(id: before.page)
            #expect(page?.appended == ["Text", isEditedAgain ? "Edited again" : "Edited"])
            #expect(try await sync.failedNotes().isEmpty)
            try await sync.sync(full: true)
            #expect(sync.simulator.pages.page(id: before.page)?.updates == 1)
        }
    }

    @Test func aPageInTheTrashIsCreatedAnewIfSetSo() async throws {
        var options = SyncInstallation.Options()
        options.sync.trashedPages = .recreate
        try await withPages(3, options) { sync in
            let page = try #require(try await sync.states()["n2"]?.page)
            _ = sync.simulator.pages.setPresence(.trashed, id: page)
            sync.edit("n2")
            let job = try await sync.sync()
            #expect(job.failedNotes == 0)
            #expect(sync.pages(of: "n2").map(\.presence) == [.trashed, .live])
            #expect(try await sync.states()["n2"]?.page == sync.pages(of: "n2").last?.id)
        }
    }
}
