import Foundation
import JobQueue
import NoteSync
import TestSupport
import Testing

@testable import PeerSimulator

/// What is said of a write whose outcome is unknown: no more and no less than is known.
@Suite(.timeLimit(.minutes(5)))
struct UnknownReasonTests {
    /// A time-out says nothing of the page; 201 is the word that there is one. Neither could not be called: both were.
    @Test(arguments: [
        (Fault.body(code: 201, text: "{}"), "A page exists whose id is not known."),
        (.hang(seconds: 1, .after), "was sent the request and gave no answer"),
        (.drop(.after, reset: true), "was sent the request and gave no answer"),
    ])
    func theReasonSaysWhatIsKnownOfThePage(_ fault: Fault, _ words: String) async throws {
        var policy = SyncInstallation.Options()
        policy.sync.unknownCreates = .hold
        try await withInstallation(UnknownCreateTests.options(.ignore, policy)) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, fault))
            let job = try await sync.sync()
            let write = try #require(try await UnknownWrites(pool: sync.pool).list().first)
            #expect(write.reason?.contains(words) == true, "\(write.reason ?? "")")
            #expect(write.reason?.contains("could not be called") == false)
            let told = try await sync.lines("WARNING", of: job, note: "n1").filter { $0.hasPrefix("Unknown create") }
            let isMade = fault == .body(code: 201, text: "{}")
            #expect(!told.isEmpty && told.allSatisfy { $0.contains("may or may not") != isMade })
        }
    }

    @Test func whatCouldNotBeSentIsToldAsThat() async throws {
        var options = UnknownCreateTests.options(.ignore)
        options.writerURL = SyncInstallation.deadURL
        try await withInstallation(options) { sync in
            sync.notes(1)
            let job = try await sync.sync()
            #expect(job.lastError?.contains("could not be called") == true)
            // An advice is not cut off.
            #expect(job.lastError?.hasSuffix("Check that the service runs and can be reached from here.") == true)
        }
    }

    /// What a refusal says is certain of its own request only; the earlier create stays in doubt, and is not on the
    /// list of surplus pages while the note has no other page.
    @Test func whatMayHaveBeenMadeIsSurplusOnlyBesideAnotherPage() async throws {
        try await withInstallation(UnknownCreateTests.options(.ignore)) { sync in
            sync.notes(2)
            sync.faults(
                .strike(.create, .missingFields, times: 1, match: [.title: "Title of n1"]),
                .strike(.create, .message("body failed validation"), match: [.title: "Title of n1"])
            )
            try await sync.sync()
            #expect(try await sync.surplusPages().isEmpty)
            #expect(try await sync.intents().count == 1)
        }
    }
}
