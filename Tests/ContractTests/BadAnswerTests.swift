import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// Answers nobody should give: the note or the job fails with words that can be read, nothing is doubled, the worker
/// lives.
@Suite(.timeLimit(.minutes(5)))
struct BadAnswerTests {
    /// Explanations of an error that must not reach a table as they are.
    private static let explanations: [JSONValue] = [
        .string("NUL \u{0} and bell \u{7}, line\nend"), .string("e" + String(repeating: "\u{301}", count: 10_000)),
        .string(String(repeating: "long ", count: 60_000)), .string(""), .null, .bool(true),
        .array([.object(["loc": .array([.string("body\u{0}")]), "msg": .string("m\u{0}")])]),
    ]

    @Test(arguments: explanations) func whatTheExtractorSays(_ detail: JSONValue) async throws {
        try await withInstallation { sync in
            sync.notes(2)
            for operation in [PeerSimulator.Operation.auth, .notes] {
                sync.faults(.strike(operation, .status(code: 500, detail: detail, headers: [:])))
                let waiting = try await sync.sync()
                #expect(waiting.status == .queued)
                try Self.expectReadable(waiting.lastError)
                sync.faults()
                #expect(try await sync.again(waiting).status == .completed)
            }
            #expect(sync.pages.count == 2)
        }
    }

    @Test(arguments: explanations) func whatTheWriterSays(_ detail: JSONValue) async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .status(code: 400, detail: detail, headers: [:]), times: 1))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (2, 1))
            for line in try await sync.lines("WARNING", of: job) { try Self.expectReadable(line) }
            for id in try await sync.failedNotes().keys { sync.edit(id) }
            #expect(try await sync.sync().failedNotes == 0)
            #expect(sync.pages.count == 3)
        }
    }

    /// As a proxy does that answers with what it has kept of another call.
    @Test func theSamePageForTwoNotesIsNoSuccess() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .body(code: 201, text: #"{"page_id":"0f0f","url":"https://n.example/0f0f"}"#)))
            let job = try await sync.sync()
            #expect(try await sync.states().values.count { $0.page == "0f0f" } == 1)
            let lines = try await sync.lines("WARNING", of: job)
            #expect(lines.contains { $0.contains("the page of another note") }, "\(lines)")
            #expect(try await sync.count("SELECT count(*) FROM sync_intents WHERE unknown_at IS NOT NULL") > 0)
        }
    }

    @Test(arguments: [("f-0f", true), ("F0F", true), ("other", false)])
    func anUpdateOfAnotherPageIsNoSuccess(_ named: String, _ isSame: Bool) async throws {
        try await withInstallation { sync in
            sync.note("n1")
            sync.faults(.strike(.create, .body(code: 201, text: #"{"page_id":"f0f","url":"https://n.example/"}"#)))
            try await sync.sync()
            sync.edit("n1")
            sync.faults(.strike(.update, .body(code: 200, text: #"{"page_id":"\#(named)","updated":true}"#)))
            let job = try await sync.sync()
            #expect(job.processedNotes == (isSame ? 1 : 0))
            let unknown = try await sync.count("SELECT count(*) FROM sync_intents WHERE unknown_at IS NOT NULL")
            #expect(unknown == (isSame ? 0 : 1))
        }
    }

    private static func expectReadable(_ text: String?) throws {
        let text = try #require(text)
        #expect(!text.isEmpty)
        #expect(text.unicodeScalars.count <= 2_200, "\(text.unicodeScalars.count)")
        #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control })
    }

    @Test(arguments: [
        #"{}"#, #"{"page_id":null}"#, #"{"page_id":7}"#, #"{"page_id":""}"#, #"{"page_id":"."}"#, #"{"page_id":".."}"#,
        #"{"page_id":"a\u0000b"}"#, #"{"page_id":"a\nb"}"#, #"{"page_id":"\#(String(repeating: "x", count: 300))"}"#,
        #"{"page_id":" "}"#, #"{"page_id":"\u200b\u00a0\u2060"}"#, #"{"page_id":"\u3164"}"#, #"{"page_id":"--"}"#,
        #"[]"#, #"{"page_id":"cut"#, "", "<html>", "null", #"{"page_id":["x"]}"#,
    ])
    func aPageWithoutAUsableIdentifierIsAskedForAgain(_ body: String) async throws {
        try await withInstallation { sync in
            sync.note("n1")
            sync.faults(.strike(.create, .body(code: 201, text: body), times: 1))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect(job.processedNotes == 1)
            #expect(sync.calls.creates == 3, "one asked whether the writer is well")
            #expect(Set(sync.pages.flatMap(\.idempotencyKeys)).count == 1)
            let warning = try #require(try await sync.lines("WARNING", of: job, note: "n1").first)
            #expect(warning.contains("page_id"))
            try Self.expectReadable(warning)
        }
    }

    @Test func anUpdateThatTheWriterDeniesIsNotRecorded() async throws {
        try await withInstallation { sync in
            sync.note("n1")
            try await sync.sync()
            sync.edit("n1")
            sync.faults(.strike(.update, .body(code: 200, text: #"{"page_id":"x","updated":false}"#), times: 1))
            #expect(try await sync.sync().failedNotes == 0)
            #expect(sync.calls.updates == 3, "one asked whether the writer is well")
            #expect(sync.pages.first?.appended == ["Text", "Edited"])
        }
    }

    @Test func aPageWhoseIdentifierIsNoSegmentOfAPathFailsItsNoteAlone() async throws {
        try await withInstallation { sync in
            sync.notes(3)
            try await sync.sync()
            try await sync.pool.execute("UPDATE sync_state SET notion_page_id = '..' WHERE keep_note_id = 'n2'")
            for number in 1...3 { sync.edit("n\(number)") }
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (2, 1))
            #expect(try await sync.lines("WARNING", of: job, note: "n2").first?.contains("identifier") == true)
        }
    }

    /// Without a floor it would log in and be refused many times a second, without ever spending an attempt.
    @Test func anExtractorThatAsksForNoPatienceAtAllIsGivenSome() async throws {
        try await withInstallation { sync in
            sync.faults(.strike(.notes, .rateLimited(status: 429, retryAfter: 0), times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.attempt == 0)
            #expect(waiting.runAt.timeIntervalSince(waiting.startedAt ?? waiting.runAt) >= 5)
        }
    }

    /// An error without end says nothing of the size of the list.
    @Test func anErrorOfMegabytesIsTriedAgain() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            let text = String(repeating: "x", count: 2 << 20)
            sync.faults(.strike(.notes, .body(code: 500, text: text), times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(try await sync.again(waiting).status == .completed)
        }
    }

    @Test func aNoteNestedTooDeeplyFailsAlone() async throws {
        try await withInstallation { sync in
            let deep = String(repeating: "[", count: 2_000) + String(repeating: "]", count: 2_000)
            let fields = #""title":"T","content":"C","modified_at":"2026-01-02T03:04:05""#
            sync.nextFetch(#"{"notes":[{"id":"bad",\#(fields),"x":\#(deep)},{"id":"good",\#(fields)}],"count":2}"#)
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            #expect(try await sync.lines("WARNING", of: job).first?.contains("nested") == true)
        }
    }

    /// `é` in one scalar and in two: equal to Swift, two notes to the tables.
    @Test func idsThatOnlyLookAlikeAreTwoNotes() async throws {
        try await withInstallation { sync in
            let fields = #""title":"T","content":"C","modified_at":"2026-01-02T03:04:05""#
            sync.nextFetch(#"{"notes":[{"id":"\u00e9",\#(fields)},{"id":"e\u0301",\#(fields)}],"count":2}"#, times: 2)
            let first = try await sync.sync()
            let second = try await sync.sync()
            #expect((first.processedNotes, second.processedNotes) == (2, 2))
            #expect(sync.pages.count == 2)
            #expect(sync.calls.updates == 0)
        }
    }

    @Test func notesWithoutATimeDoNotStopTheNextSync() async throws {
        try await withInstallation { sync in
            sync.note("n1", modified: "0001-01-01T00:00:00")
            #expect(try await sync.sync().processedNotes == 1)
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect(!sync.lastQuery.contains("modified_since"))
            #expect(sync.calls.creates == 1)
        }
    }

    /// Of a failing note, every line is looked for in the peer's words.
    @Test func aLongNoteThatFailsDoesNotHoldTheWorkerUp() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            let lines = (0..<200_000).map { "line \($0) of a long note" }
            sync.note("huge", text: lines.joined(separator: "\n"))
            let said = "body failed validation: \(lines[77]) " + String(repeating: "x", count: 10_000)
            sync.faults(.strike(.create, .message(said), times: 1))
            let job = try await sync.sync()
            #expect(job.failedNotes == 1)
            let warning = try #require(try await sync.lines("WARNING", of: job, note: "huge").first)
            #expect(!warning.contains(lines[77]))
            try Self.expectReadable(warning)
        }
    }
}
