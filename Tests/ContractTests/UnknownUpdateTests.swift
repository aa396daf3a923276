import JobQueue
import NoteSync
import TestSupport
import Testing

@testable import PeerSimulator

/// Updates append: one that may have happened is not repeated lightly.
@Suite(.timeLimit(.minutes(5)))
struct UnknownUpdateTests {
    private func withEditedNote(
        _ options: SyncInstallation.Options = .init(),
        _ body: (SyncInstallation) async throws -> Void
    ) async throws {
        var options = options
        options.writerTimeout = .milliseconds(500)
        try await withInstallation(options) { sync in
            sync.notes(2)
            try await sync.sync()
            sync.edit("n1")
            sync.edit("n2")
            try await body(sync)
        }
    }

    static let ambiguous: [Fault] = [
        .drop(.after, reset: true), .drop(.after, reset: false), .hang(seconds: 1, .after),
        .afterwards(.status(code: 502, detail: .string("Bad Gateway"), headers: [:])),
        .afterwards(.body(code: 200, text: "<html>Welcome</html>")), .body(code: 200, text: "<html>Welcome</html>"),
        .afterwards(.message("Request to Notion API has timed out")), .malformedJSON, .truncatedJSON, .wrongTypes,
        .missingFields, .body(code: 200, text: ""),
    ]

    /// Not success, and not a failure that is forgotten: a 200 with a proxy's page, a 502 after the writing.
    @Test(arguments: ambiguous) func anUpdateWhoseOutcomeIsUnknownIsOnRecord(_ fault: Fault) async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        try await withEditedNote(options) { sync in
            sync.faults(.strike(.update, fault, match: [.title: "Title of n1"]))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            #expect(sync.struck == [1])
            #expect(try await sync.failedNotes() == ["n1": "unknownUpdate"])
            #expect(try await sync.intents().map(\.operation) == ["update"])
            let warnings = try await sync.lines("WARNING", of: job, note: "n1")
            #expect(warnings.first?.hasPrefix("Unknown update") == true)
            sync.faults()
            let next = try await sync.sync()
            #expect(next.failedNotes == 0, "sent again, as another call has succeeded since")
            #expect(sync.pages(of: "n1").first?.appended.last == "Edited")
            #expect(try await sync.intents().isEmpty)
        }
    }

    @Test func anUpdateThatStaysUnknownIsHeldAfterTheLimit() async throws {
        try await withEditedNote { sync in
            sync.faults(
                .strike(
                    .update,
                    .afterwards(.status(code: 500, detail: .null, headers: [:])),
                    match: [.title: "Title of n1"]
                )
            )
            for round in 1...4 {
                sync.edit("n2", text: "Round \(round)")
                let job = try await sync.sync()
                #expect(job.failedNotes == 1)
            }
            #expect(sync.pages(of: "n1").first?.updates == 2, "so often and no more")
            #expect(try await sync.failedNotes() == ["n1": "held"])
            #expect(try await sync.intents().map(\.unknownCount) == [2])
        }
    }

    @Test func aWriterThatAppendsInPartIsUnknown() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        try await withEditedNote(options) { sync in
            sync.faults(
                .strike(.update, .partialWrite("Request to Notion API has timed out"), match: [.title: "Title of n1"])
            )
            #expect(try await sync.sync().failedNotes == 1)
            #expect(sync.pages(of: "n1").first?.appended == ["Text", "Edi"])
            sync.faults()
            try await sync.sync()
            #expect(sync.pages(of: "n1").first?.appended == ["Text", "Edi", "Edited"])
        }
    }

    @Test func aHeldUpdateWaitsForAnOperator() async throws {
        var options = SyncInstallation.Options()
        options.sync.unknownCreates = .hold
        try await withEditedNote(options) { sync in
            sync.faults(.strike(.update, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            try await sync.sync()
            sync.faults()
            #expect(try await sync.sync().failedNotes == 1)
            #expect(sync.calls.updates == 2)
            #expect(try await sync.failedNotes() == ["n1": "held"])
        }
    }
}
