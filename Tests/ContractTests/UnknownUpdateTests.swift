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

    @Test(arguments: [Fault.drop(.after, reset: true), .drop(.after, reset: false), .hang(seconds: 1, .after)])
    func anUpdateWithoutAnswerIsNotSentAgainInTheJob(_ fault: Fault) async throws {
        try await withEditedNote { sync in
            sync.faults(.strike(.update, fault, match: [.title: "Title of n1"]))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            #expect(sync.struck == [1])
            #expect(sync.pages(of: "n1").first?.appended == ["Text", "Edited"], "once")
            #expect(try await sync.failedNotes() == ["n1": "unknownUpdate"])
            #expect(try await sync.intents().map(\.operation) == ["update"])
            let warnings = try await sync.lines("WARNING", of: job, note: "n1")
            #expect(warnings.first?.hasPrefix("Unknown update") == true)
            sync.faults()
            let next = try await sync.sync()
            #expect(next.failedNotes == 0, "a later job sends it again, by the policy")
            #expect(try await sync.intents().isEmpty)
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

    /// The answer to an update holds nothing that is needed, so any body with a status of success will do.
    @Test(arguments: [Fault.malformedJSON, .truncatedJSON, .wrongTypes, .missingFields])
    func anUpdateThatSucceededIsNotDoubtedForItsBody(_ fault: Fault) async throws {
        try await withEditedNote { sync in
            sync.faults(.strike(.update, fault))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (2, 0))
            #expect(sync.pages.map(\.updates) == [1, 1])
        }
    }
}
