import JobQueue
import NoteSync
import TestSupport
import Testing

@testable import PeerSimulator

/// Notes the extractor lists and nobody can use.
@Suite(.timeLimit(.minutes(5)))
struct UnusableNoteTests {
    private static func json(_ id: String, _ change: String = "", modified: String = "2026-01-02T03:04:05") -> String {
        let fields = change.isEmpty ? #""title":"Title of \#(id)","content":"Text""# : change
        return
            #"{"id":"\#(id)",\#(fields),"created_at":"\#(modified)","modified_at":"\#(modified)","labels":[],"images":[]}"#
    }

    private static func list(_ notes: String...) -> String {
        #"{"notes":[\#(notes.joined(separator: ","))],"count":\#(notes.count)}"#
    }

    @Test(arguments: [
        (#""title":null,"content":"Text""#, "field title is null"),
        (#""title":7,"content":"Text""#, "field title is not of type String"),
        (#""content":"Text""#, "field title is missing"), (#""title":"T""#, "field content is missing"),
        (#""title":"T","content":"Text","images":[{"filename":"x"}]"#, "n/a"),
    ])
    func aNoteThatCannotBeReadIsRememberedAndTheOthersGoOn(_ fields: String, _ reason: String) async throws {
        try await withInstallation { sync in
            sync.nextFetch(Self.list(Self.json("good"), Self.json("bad", fields), Self.json("fine")))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            guard job.failedNotes == 1 else {
                #expect(reason == "n/a", "\(job)")
                return
            }
            #expect((job.totalNotes, job.processedNotes) == (3, 2))
            #expect(try await sync.failedNotes() == ["bad": "unusableNote"])
            let warning = try #require(try await sync.lines("WARNING", of: job, note: "bad").first)
            if reason != "n/a" { #expect(warning.contains(reason)) }
            #expect(try await sync.cursor() == "2026-01-02T03:04:05.000000")
            // Mended in Keep, it is asked for again.
            sync.note("bad", modified: "2026-01-02T03:04:05")
            #expect(try await sync.sync().failedNotes == 0)
            #expect(try await sync.failedNotes().isEmpty)
            #expect(sync.pages(of: "bad").count == 1)
        }
    }

    @Test(arguments: [
        #""id":17"#, #""id":null"#, #""id":"""#, #""id":"\#(String(repeating: "x", count: 300))""#,
        #""id":"nul\u0000byte""#, #""nothing":1"#,
    ])
    func aNoteWhoseIDCannotBeStoredHoldsNothingUp(_ id: String) async throws {
        try await withInstallation { sync in
            let fields = #""title":"T","content":"C","modified_at":"2026-01-01T03:04:05","labels":[],"images":[]"#
            sync.nextFetch(#"{"notes":[\#(Self.json("good")),{\#(id),\#(fields)}],"count":2}"#)
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.totalNotes, job.processedNotes, job.failedNotes) == (2, 1, 1))
            #expect(try await sync.failedNotes().isEmpty, "there is no id to remember it by")
            #expect(try await sync.cursor() == "2026-01-02T03:04:05.000000")
            #expect(try await sync.lines("WARNING", of: job).first?.contains("position 2") == true)
        }
    }

    @Test func theLongestIDThatTheTablesHoldIsTaken() async throws {
        try await withInstallation { sync in
            let id = String(repeating: "ä", count: 255)
            sync.note(id, title: "Long")
            let job = try await sync.sync()
            #expect(job.processedNotes == 1)
            #expect(try await sync.states().keys.sorted() == [id])
        }
    }

    @Test(arguments: ["yesterday", "2026-02-30T00:00:00", ""])
    func aNoteWithoutAUsableTimeHasEverythingAskedForAgain(_ modified: String) async throws {
        try await withInstallation { sync in
            sync.nextFetch(Self.list(Self.json("good"), Self.json("bad", modified: modified)))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            #expect(try await sync.failedNotes() == ["bad": "unusableNote"])
            sync.note("bad")
            sync.note("good", modified: "2026-01-02T03:04:05")
            #expect(try await sync.sync().failedNotes == 0)
            #expect(!sync.lastQuery.contains("modified_since"))
            #expect(try await sync.failedNotes().isEmpty)
            #expect(sync.pages.count == 2)
        }
    }

    @Test(arguments: [
        (["2026-01-02T03:04:05", "2026-01-02T03:04:06"], "Text 1"),
        (["2026-01-02T03:04:06", "2026-01-02T03:04:05"], "Text 0"),
        (["2026-01-02T03:04:05", "2026-01-02T03:04:05"], "Text 0"),
        (["2026-01-02T03:04:05", "2026-01-02T03:04:07", "2026-01-02T03:04:06"], "Text 1"),
    ])
    func ofANoteListedTwiceTheNewerOneCounts(_ times: [String], _ text: String) async throws {
        try await withInstallation { sync in
            let twice = times.enumerated().map { index, time in
                Self.json("n1", #""title":"Title of n1","content":"Text \#(index)""#, modified: time)
            }
            sync.nextFetch(
                #"{"notes":[\#((twice + [Self.json("n2")]).joined(separator: ","))],"count":\#(times.count + 1)}"#,
                times: 2
            )
            for _ in 1...2 {
                let job = try await sync.sync()
                #expect(job.status == .completed)
                #expect((job.totalNotes, job.processedNotes, job.failedNotes) == (times.count + 1, times.count + 1, 0))
                #expect(sync.calls.creates == 2)
                #expect(sync.calls.updates == 0)
                #expect(sync.pages(of: "n1").first?.appended == [text])
                #expect(try await sync.lines("WARNING", of: job, note: "n1").first?.contains("twice") == true)
            }
            #expect(try await sync.states()["n1"]?.modified.prefix(19) == times.max()?.prefix(19))
        }
    }

    /// What can't be used and is not what counts stands in nobody's way.
    @Test(arguments: [
        #"{"id":"n1","title":"T","content":null,"modified_at":"2026-01-02T03:04:05"}"#,
        #"{"id":"n1","title":"T","content":"Old","modified_at":"yesterday"}"#,
    ])
    func anOlderListingThatCannotBeUsedHidesNoNewerOne(_ older: String) async throws {
        try await withInstallation { sync in
            let newer = Self.json("n1", modified: "2026-01-02T03:04:06")
            for list in [[older, newer], [newer, older]] {
                sync.nextFetch(#"{"notes":[\#(list.joined(separator: ","))],"count":2}"#)
                let job = try await sync.sync()
                #expect((job.processedNotes, job.failedNotes) == (2, 0))
                #expect(try await sync.failedNotes().isEmpty)
                #expect(sync.pages(of: "n1").count == 1)
            }
        }
    }

    /// JSON has several spellings of one id, and of the field's name.
    @Test(arguments: [
        [#""id":"n/1""#, #""id":"n\/1""#], [#""id":"\u006e/1""#, #""id":"n/1""#],
        [#""id":"n\u002f1""#, #""id":"\u006E\/1""#], [#""id":"n/1""#, #""\u0069d":"n/1""#],
    ])
    func aNoteListedTwiceInTwoSpellingsIsOneNote(_ spellings: [String]) async throws {
        try await withInstallation { sync in
            let notes = spellings.enumerated().map { index, id in
                let time = "2026-01-02T03:04:0\(index)"
                return
                    #"{\#(id),"title":"T","content":"Text \#(index)","created_at":"\#(time)","modified_at":"\#(time)"}"#
            }
            sync.nextFetch(#"{"notes":[\#(notes.joined(separator: ","))],"count":2}"#)
            let job = try await sync.sync()
            #expect((job.status, job.processedNotes, job.failedNotes) == (.completed, 2, 0))
            #expect(sync.pages.map(\.appended) == [["Text 1"]])
            #expect(try await sync.states().keys.sorted() == ["n/1"])
        }
    }

    @Test func aNoteOverTheLimitIsLeftOutAndNamesTheSetting() async throws {
        var options = SyncInstallation.Options()
        options.sync.maximumNoteBytes = 2_000
        try await withInstallation(options) { sync in
            sync.note("huge", text: String(repeating: "x", count: 5_000))
            sync.note("small")
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            #expect(try await sync.lines("WARNING", of: job).first?.contains("SYNC_MAX_NOTE_BYTES (2000)") == true)
            #expect(try await sync.failedNotes() == ["huge": "unusableNote"], "it is asked for again")
        }
    }

    @Test func aNoteOfMegabytesGoesThrough() async throws {
        try await withInstallation { sync in
            let text = String(repeating: "Zeile mit Umlauten äöü\n", count: 100_000)
            sync.note("huge", text: text)
            let job = try await sync.sync()
            #expect(job.processedNotes == 1)
            #expect(sync.pages.first?.appended == [text])
        }
    }

    /// A log that nobody could read helps nobody, and fills the disk.
    @Test func aLogHasAnEndHoweverMuchIsWrong() async throws {
        var options = SyncInstallation.Options()
        options.sync.maximumLogLines = 5
        try await withInstallation(options) { sync in
            let bad = (1...40).map { Self.json("bad\($0)", #""title":7,"content":"Text""#) }
            sync.nextFetch(#"{"notes":[\#((bad + [Self.json("good")]).joined(separator: ","))],"count":41}"#)
            let job = try await sync.sync()
            #expect((job.status, job.failedNotes, job.processedNotes) == (.completed, 40, 1))
            #expect(try await sync.failedNotes().count == 40)
            let warnings = try await sync.lines("WARNING", of: job)
            #expect(warnings.count == 6)
            #expect(warnings.last?.contains("35 about what went wrong") == true, "\(warnings)")
            #expect(try await sync.lines("INFO", of: job).contains { $0.contains("Created page") })
        }
    }
}
