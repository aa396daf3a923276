import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(5)))
struct CursorTests {
    private static func since(_ query: String) -> String? {
        query.split(separator: "&").first { $0.hasPrefix("modified_since=") }
            .map { String($0.dropFirst("modified_since=".count)).replacing("%3A", with: ":") }
    }

    @Test func theFilterIsInclusiveAndWhatItBringsAgainIsSkipped() async throws {
        var options = SyncInstallation.Options()
        options.sync.cursorLookback = .zero
        try await withInstallation(options) { sync in
            sync.notes(3)
            try await sync.sync()
            #expect(try await sync.cursor() == "2026-01-02T03:03:00.000000")
            let again = try await sync.sync()
            #expect(Self.since(sync.lastQuery) == "2026-01-02T03:03:00.000000")
            #expect(again.totalNotes == 1)
            #expect(again.processedNotes == 1)
            #expect(sync.calls.creates == 3)
            #expect(sync.calls.updates == 0)
            // A note with the very time of the cursor, which came later.
            sync.note("late", modified: "2026-01-02T03:03:00")
            try await sync.sync()
            #expect(sync.pages(of: "late").count == 1)
        }
    }

    /// A note without an id that can be read may be any note: it does not show that a failed one is gone.
    @Test(arguments: [#"[{"id": 5, "title": "x"}]"#, #"[]"#])
    func aFailedNoteIsForgottenOnlyIfItIsSurelyGone(_ list: String) async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .message("body failed validation")))
            try await sync.sync()
            #expect(try await sync.failedNotes() == ["n1": "rejected"])
            sync.nextFetch(#"{"notes": "# + list + "}")
            try await sync.sync(full: true)
            #expect(try await sync.failedNotes().isEmpty == (list == "[]"))
        }
    }

    /// Most syncs find nothing to do; each is one line of the log, and those that do or fail are told from their start.
    @Test func anIncrementalSyncWithoutAChangeWritesOneLine() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            let first = try await sync.lines("INFO", of: try await sync.sync())
            #expect(first.first == "Incremental sync started.")
            #expect(first.count == 7, "start, login, fetch, three pages, end: \(first)")
            let quiet = try await sync.lines("INFO", of: try await sync.sync())
            #expect(quiet.count == 1 && quiet[0].hasPrefix("Sync finished: "), "\(quiet)")
            sync.edit("n1", text: "More")
            let edited = try await sync.lines("INFO", of: try await sync.sync())
            #expect(edited.first == "Incremental sync started.")
            #expect(edited.count == 5, "\(edited)")
            sync.faults(.strike(.auth, .authFailed(error: "BadAuthentication"), times: 1))
            let failed = try await sync.sync()
            #expect(try await sync.lines("INFO", of: failed).first == "Incremental sync started.")
        }
    }

    @Test func anEditThatReachedKeepLateIsFoundWithinTheLookback() async throws {
        try await withInstallation { sync in
            sync.note("n1", modified: "2026-01-02T12:00:00")
            try await sync.sync()
            sync.note("offline", modified: "2026-01-02T11:50:00")
            try await sync.sync()
            #expect(sync.pages(of: "offline").count == 1)
        }
    }

    @Test func anEditDuringARunIsNotLost() async throws {
        try await withInstallation { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .latency(milliseconds: 300, jitter: 0)))
            let id = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls > 0 }
            sync.edit("n1", text: "While the sync was at it")
            #expect(try await sync.settled(id).status == .completed)
            try await sync.sync()
            #expect(sync.pages(of: "n1").first?.appended == ["Text", "While the sync was at it"])
        }
    }

    @Test func aFailedNoteIsAskedForAgainHoweverOld() async throws {
        try await withInstallation { sync in
            sync.note("old", modified: "2019-05-06T07:08:09")
            sync.note("new", modified: "2026-01-02T03:00:00")
            sync.faults(.strike(.create, .message("body failed validation"), match: [.title: "Title of old"]))
            let first = try await sync.sync()
            #expect((first.processedNotes, first.failedNotes) == (1, 1))
            #expect(try await sync.cursor() == "2026-01-02T03:00:00.000000", "a recorded failure holds nothing up")
            // A later note succeeds, and still the old one is not forgotten.
            sync.note("newer", modified: "2026-01-05T00:00:00")
            try await sync.sync()
            #expect(Self.since(sync.lastQuery) == "2019-05-06T06:58:09.000000")
            sync.faults()
            // What was refused is asked for and not sent again before it has changed.
            sync.note("old", text: "Mended", modified: "2019-05-06T07:08:09")
            let third = try await sync.sync()
            #expect(third.failedNotes == 0)
            #expect(sync.pages(of: "old").count == 1)
            #expect(try await sync.failedNotes().isEmpty)
            try await sync.sync()
            #expect(Self.since(sync.lastQuery) == "2026-01-04T23:50:00.000000")
        }
    }

    @Test func aFailedNoteThatLeftKeepIsLetGo() async throws {
        try await withInstallation { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .message("body failed validation"), match: [.title: "Title of n1"]))
            try await sync.sync()
            #expect(try await sync.failedNotes().keys.sorted() == ["n1"])
            _ = sync.simulator.noteLibrary.trash(id: "n1")
            try await sync.sync()
            #expect(try await sync.failedNotes().isEmpty)
        }
    }

    @Test func aLimitedFetchMovesNothingAndLetsNothingGo() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteLimit = 2
        try await withInstallation(options) { sync in
            sync.notes(6)
            sync.faults(.strike(.create, .message("body failed validation")))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect(job.totalNotes == 2)
            #expect(sync.lastQuery.hasSuffix("&limit=2"))
            #expect(try await sync.cursor() == nil)
            let failed = try await sync.failedNotes()
            #expect(failed.count == 2)
            for id in failed.keys { _ = sync.simulator.noteLibrary.trash(id: id) }
            sync.faults()
            try await sync.sync()
            #expect(try await sync.cursor() == nil)
            #expect(try await sync.failedNotes() == failed, "a short list proves no note gone")
        }
    }

    /// A cursor at the clock instead of the note's time would pass over an edit that reached Keep late.
    @Test func aNoteFromTheFutureDoesNotPushTheCursor() async throws {
        var options = SyncInstallation.Options()
        options.sync.cursorLookback = .zero
        try await withInstallation(options) { sync in
            sync.note("n1", modified: "2026-01-02T03:04:05")
            sync.note("future", modified: "2099-01-01T00:00:00")
            try await sync.sync()
            #expect(try await sync.cursor() == "2026-01-02T03:04:05.000000")
            sync.note("late", modified: "2026-01-03T00:00:00")
            try await sync.sync()
            #expect(sync.pages(of: "late").count == 1)
            sync.note("future", text: "Edited", modified: "2099-01-01T00:00:00")
            try await sync.sync()
            #expect(sync.pages(of: "future").map(\.updates) == [1], "it is listed every time")
            #expect(sync.pages(of: "n1").map(\.updates) == [0])
        }
    }

    @Test func aCursorFromTheFutureIsNotBelieved() async throws {
        try await withInstallation { sync in
            sync.note("n1")
            try await sync.sync()
            try await sync.pool.execute("UPDATE sync_cursors SET keep_modified_at = '2099-01-01'")
            sync.edit("n1", text: "Edited today")
            try await sync.sync()
            #expect(sync.pages(of: "n1").map(\.updates) == [1])
            #expect(try await sync.cursor()?.hasPrefix("2099") == false)
        }
    }

    @Test func anIncrementalSyncNeverMovesTheCursorBack() async throws {
        try await withInstallation { sync in
            sync.note("n1", modified: "2026-01-02T12:00:00")
            try await sync.sync()
            _ = sync.simulator.noteLibrary.trash(id: "n1")
            sync.note("n2", modified: "2026-01-02T11:55:00")
            try await sync.sync()
            #expect(try await sync.cursor() == "2026-01-02T12:00:00.000000")
        }
    }

    @Test func clearedStateHasEveryPageCreatedAnew() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            try await sync.sync()
            try await sync.pool.execute("DELETE FROM sync_state WHERE user_id = 'ada'")
            let job = try await sync.sync()
            #expect(job.processedNotes == 3)
            #expect(sync.pages.count == 6)
            #expect(try await sync.states().count == 3)
        }
    }

    /// What the first job of a user has failed to write is forgotten with the state, and so the job must not set the
    /// cursor.
    @Test(arguments: ["clear-state", "TRUNCATE sync_state"])
    func stateThatIsClearedDuringTheFirstJobLosesNoNote(_ statement: String) async throws {
        try await withInstallation { sync in
            sync.note("slow", modified: "2026-01-05T00:00:00")
            sync.note("refused", modified: "2026-01-02T00:00:00")
            sync.faults(
                .strike(.create, .message("body failed validation"), match: [.title: "Title of refused"]),
                .strike(.create, .latency(milliseconds: 1500, jitter: 0), match: [.title: "Title of slow"])
            )
            let id = try await sync.insert()
            try await eventually("the failure on record") { try await sync.failedNotes().keys.contains("refused") }
            if statement == "clear-state" {
                _ = try await SyncStateStore(pool: sync.pool).clear(UserID("ada"))
            } else {
                try await sync.pool.execute(PostgresQuery(stringLiteral: statement))
            }
            #expect(try await sync.job(id).status == .running)
            _ = try await sync.settled(id)
            #expect(try await sync.cursor() == nil)
            sync.faults()
            try await sync.sync()
            #expect(sync.pages(of: "refused").count == 1)
        }
    }

    @Test(arguments: ["DELETE FROM sync_state WHERE keep_note_id = 'n2'", "TRUNCATE sync_state"])
    func whatIsKnownOfFailuresGoesWithTheState(_ statement: String) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            try await sync.sync()
            _ = sync.simulator.pages.setPresence(.trashed, id: try #require(try await sync.states()["n2"]?.page))
            sync.edit("n2")
            try await sync.sync()
            #expect(try await sync.failedNotes() == ["n2": "deferred"])
            try await sync.pool.execute(PostgresQuery(stringLiteral: statement))
            #expect(try await sync.cursor() == nil)
            #expect(try await sync.failedNotes().isEmpty)
            try await sync.sync()
            #expect(sync.pages(of: "n2").map(\.presence) == [.trashed, .live])
        }
    }

    @Test func clearingTheStateOfAUserWithoutPagesFetchesEverything() async throws {
        try await withInstallation { sync in
            sync.note("n1", modified: "2026-01-02T12:00:00")
            sync.faults(.strike(.create, .message("body failed validation")))
            try await sync.sync()
            sync.faults()
            #expect(try await sync.cursor() != nil)
            let cleared = try await SyncStateStore(pool: sync.pool).clear(UserID(SyncInstallation.user))
            #expect((cleared.pages, cleared.failures, cleared.hadCursor) == (0, 1, true))
            #expect(try await sync.cursor() == nil)
            sync.note("old", modified: "2020-01-01T00:00:00")
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (2, 0))
        }
    }

    @Test func clearingTheStateForgetsNoRequestThatMayBeOpen() async throws {
        try await withInstallation { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            try await sync.sync()
            let open = try await sync.intents()
            #expect(open.map(\.note) == ["n1"])
            let cleared = try await SyncStateStore(pool: sync.pool).clear(UserID(SyncInstallation.user))
            #expect(cleared.openWrites == 1)
            #expect(try await sync.intents() == open)
        }
    }

    @Test func aFailedNoteThatVanishedWithAnOpenWriteIsNotForgotten() async throws {
        try await withInstallation { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            try await sync.sync()
            #expect(try await sync.failedNotes().keys.sorted() == ["n1"])
            _ = sync.simulator.noteLibrary.trash(id: "n1")
            sync.faults()
            try await sync.sync()
            #expect(try await sync.failedNotes().keys.sorted() == ["n1"], "what became of its write is not known")
            #expect(try await sync.intents().map(\.note) == ["n1"])
        }
    }

    @Test func stateClearedInTheMiddleOfAJobResetsTheCursorToo() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            try await sync.sync()
            sync.note("n4", modified: "2026-01-02T06:00:00")
            sync.faults(.strike(.create, .latency(milliseconds: 400, jitter: 0)))
            sync.forgetCalls()
            let id = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls > 0 }
            try await sync.pool.execute("DELETE FROM sync_state WHERE user_id = 'ada'")
            #expect(try await sync.settled(id).status == .completed)
            #expect(try await sync.cursor() == nil, "the job under way must not set it again")
            sync.faults()
            try await sync.sync()
            #expect(sync.pages.count == 7)
            #expect(sync.pages(of: "n4").count == 1)
        }
    }

    @Test func adoptedStateFetchesEverythingAndWritesWhatChanged() async throws {
        try await withInstallation { sync in
            sync.note("same", modified: "2026-01-02T03:04:05.123456")
            sync.note("changed", modified: "2026-01-03T00:00:00")
            sync.note("lost", modified: "2020-01-01T00:00:00")
            let pages = try await sync.adopt(["same": "2026-01-02T03:04:05.123456", "changed": "2026-01-02T00:00:00"])
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect(Self.since(sync.lastQuery) == nil)
            #expect(sync.calls == .init(logins: 1, fetches: 1, creates: 1, updates: 1))
            #expect(sync.simulator.pages.page(id: pages["same"] ?? "")?.updates == 0)
            #expect(sync.simulator.pages.page(id: pages["changed"] ?? "")?.updates == 1)
            #expect(sync.pages(of: "lost").count == 1, "what the replaced service lost is found")
            let states = try await sync.states()
            #expect(states.values.allSatisfy { $0.hasHash })
            #expect(try await sync.cursor() == "2026-01-03T00:00:00.000000")
        }
    }
}

extension SyncInstallation {
    /// Makes pages and rows as the replaced service left them: notes with their times, and no cursor.
    ///
    /// - Returns: the pages by note.
    fileprivate func adopt(_ notes: [String: String]) async throws -> [String: String] {
        var pages: [String: String] = [:]
        for (note, modified) in notes {
            let request =
                #"{"api_token":"t","database_id":"db-of-ada","note":{"title":"Adopted","content":"","created_at":""}}"#
            let made = try simulator.pages.create(
                JSONDecoder().decode(PageRequest.self, from: Data(request.utf8)),
                key: nil,
                seenKey: nil,
                forgetsContents: false
            )
            pages[note] = made.page.id
            try await pool.execute(
                """
                INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, last_synced_at, keep_modified_at)
                VALUES ('ada', \(note), \(made.page.id), '2026-01-04', \(modified)::text::timestamp)
                """
            )
        }
        return pages
    }
}
