import JobQueue
import TestSupport
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(5)))
struct KeepLoginTests {
    @Test func everySyncLogsInOnceAndSeesWhatWasEditedSince() async throws {
        try await withInstallation { sync in
            sync.note("n1")
            try await sync.sync()
            sync.edit("n1", text: "Edited between two syncs")
            try await sync.sync()
            #expect(sync.calls == .init(logins: 2, fetches: 2, creates: 1, updates: 1))
            #expect(sync.pages.first?.appended.last == "Edited between two syncs")
            #expect(sync.simulator.requests.report.peakKeepRequestsPerMinute == 4, "150 are allowed")
        }
    }

    @Test func aRefusedLoginIsNoProofAndIsTriedAgain() async throws {
        try await withInstallation { sync in
            sync.note("n1")
            sync.faults(.strike(.auth, .authFailed(error: "BadAuthentication"), times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.attempt == 1)
            #expect(waiting.errorMessage == nil, "the readers see an error when the job has failed")
            #expect(waiting.lastError?.contains("refused the login of user ada (BadAuthentication)") == true)
            #expect(sync.calls == .init(logins: 1))
            let done = try await sync.again(waiting)
            #expect(done.status == .completed)
            #expect(done.processedNotes == 1)
            #expect(sync.alerts.lines.isEmpty)
        }
    }

    @Test func aLoginRefusedAtEveryAttemptFailsTheJobAndAlerts() async throws {
        var options = SyncInstallation.Options()
        options.jobBackoff = Backoff(base: .milliseconds(1), cap: .milliseconds(1))
        try await withInstallation(options) { sync in
            try await sync.storeCredentials(google: "bad-token-of-ada")
            let job = try await sync.ended(try await sync.insert(), as: .failed)
            #expect(job.attempt == job.maximumAttempts)
            #expect(sync.calls == .init(logins: job.maximumAttempts))
            let error = try #require(job.errorMessage)
            #expect(error.contains("Invalid master token"))
            #expect(!error.contains("bad-token-of-ada"))
            #expect(try await sync.lines("ERROR", of: job).count == 1)
            #expect(try await sync.lines("WARNING", of: job).count == job.maximumAttempts - 1)
            #expect(sync.alerts.lines.count == 1)
        }
    }

    @Test func aForgottenSessionIsOpenedOnceMore() async throws {
        try await withInstallation { sync in
            sync.note("n1")
            sync.faults(.strike(.notes, .unauthorized, times: 1))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect(job.attempt == 1)
            #expect(sync.calls == .init(logins: 2, fetches: 2, creates: 1))
        }
    }

    @Test func aSessionForgottenTwiceWaitsForTheNextAttempt() async throws {
        try await withInstallation { sync in
            sync.note("n1")
            sync.faults(.strike(.notes, .unauthorized, times: 2))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.lastError?.contains("401 twice") == true)
            #expect(sync.calls == .init(logins: 2, fetches: 2))
            #expect(try await sync.again(waiting).status == .completed)
        }
    }

    @Test(arguments: [
        Fault.malformedJSON, .truncatedJSON, .truncatedBody, .wrongTypes, .missingFields, .drop(.before, reset: true),
        .drop(.after, reset: true), .drop(.after, reset: false), .unauthorized,
        .status(code: 500, detail: .string("Out of order"), headers: [:]),
        .status(code: 503, detail: .null, headers: [:]),
    ])
    func anAnswerToTheLoginThatIsNoneIsTriedAgain(_ fault: Fault) async throws {
        try await withInstallation { sync in
            sync.note("n1")
            sync.faults(.strike(.auth, fault, times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.attempt == 1)
            #expect(waiting.lastError?.contains("Keep Extractor") == true)
            #expect(try await sync.again(waiting).status == .completed)
        }
    }

    @Test func aLoginTheExtractorNeverTakesFailsAtOnce() async throws {
        try await withInstallation { sync in
            let detail = JSONValue.string("username is required")
            sync.faults(.strike(.auth, .status(code: 400, detail: detail, headers: [:])))
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(job.errorMessage?.contains("username is required") == true)
            #expect(sync.calls == .init(logins: 1))
        }
    }

    @Test func aLoginWithoutAnswerIsTriedAgain() async throws {
        var options = SyncInstallation.Options()
        options.keepTimeout = .milliseconds(150)
        try await withInstallation(options) { sync in
            sync.faults(.strike(.auth, .hang(seconds: 30, .before), times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.lastError?.contains("log in") == true)
        }
    }

    @Test func anExtractorThatIsAwayIsTriedAgain() async throws {
        var options = SyncInstallation.Options()
        options.keepURL = SyncInstallation.deadURL
        try await withInstallation(options) { sync in
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.lastError?.contains("KEEP_EXTRACTOR_URL") == true)
        }
    }
}
