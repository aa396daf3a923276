import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// Faults of the peers that pass: what they cost the job that meets them, and the others.
@Suite(.timeLimit(.minutes(2)))
struct PassingFaultTests {
    private static func quickly(_ change: (inout SyncInstallation.Options) -> Void = { _ in })
        -> SyncInstallation.Options
    {
        var options = SyncInstallation.Options()
        options.jobBackoff = Backoff(base: .seconds(1), cap: .seconds(1))
        change(&options)
        return options
    }

    private static func wait(_ job: JobRecord) -> TimeInterval { job.runAt.timeIntervalSinceNow }

    /// Only who limits the rate may ask for hours.
    @Test(arguments: [500, 502, 504, 401, 404, 503])
    func anExtractorThatIsIllNamesNoTimeForHours(_ status: Int) async throws {
        try await withInstallation(Self.quickly()) { sync in
            sync.notes(1)
            sync.faults(.strike(.notes, .status(code: status, detail: .null, headers: ["Retry-After": "86400"])))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued && Self.wait(waiting) < 15, "\(waiting)")
        }
    }

    @Test(arguments: [429, 529]) func anExtractorThatLimitsTheRateDoes(_ status: Int) async throws {
        try await withInstallation(Self.quickly()) { sync in
            sync.notes(1)
            sync.faults(.strike(.notes, .status(code: status, detail: .null, headers: ["Retry-After": "3600"])))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued && waiting.attempt == 0 && Self.wait(waiting) > 3500)
        }
    }

    @Test(arguments: [500, 502, 503]) func aWriterThatIsIllNamesNoTimeForHours(_ status: Int) async throws {
        try await withInstallation(Self.quickly()) { sync in
            sync.notes(4)
            sync.faults(.strike(.create, .status(code: status, detail: .null, headers: ["Retry-After": "86400"])))
            for _ in 1...2 {
                let waiting = try await sync.sync()
                #expect(waiting.status == .queued && Self.wait(waiting) < 15, "\(waiting)")
            }
        }
    }

    /// The commonest sync has one changed note: it waits for the writer like any other.
    @Test func oneNoteIsBroughtAfterAnOutageToo() async throws {
        try await withInstallation { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .status(code: 503, detail: .null, headers: [:])))
            let waiting = try await sync.sync()
            #expect(
                waiting.status == .queued && waiting.lastError?.contains("1 note to be written") == true,
                "\(waiting)"
            )
            sync.faults()
            let job = try await sync.again(waiting)
            #expect(job.status == .completed && job.processedNotes == 1 && job.failedNotes == 0)
            #expect(sync.pages.count == 1)
        }
    }

    /// The time until the writer is asked again is other users'.
    @Test func aWriterInDoubtIsNotWaitedForInASlot() async throws {
        try await withInstallation(Self.quickly { $0.sync.unknownCooldown = .seconds(30) }) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .status(code: 503, detail: .null, headers: [:]), times: 1))
            let began = ContinuousClock.now
            let waiting = try await sync.sync()
            #expect(ContinuousClock.now - began < .seconds(15))
            #expect(waiting.status == .queued && waiting.attempt == 0, "\(waiting)")
            #expect(Self.wait(waiting) > 15 && Self.wait(waiting) < 31)
        }
    }

    @Test func aTokenThatIsLimitedTakesNoSlot() async throws {
        try await withInstallation(Self.quickly()) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .rateLimited(status: 429, retryAfter: 14)))
            let began = ContinuousClock.now
            let waiting = try await sync.sync()
            #expect(ContinuousClock.now - began < .seconds(10))
            #expect(waiting.status == .queued && waiting.attempt == 0 && Self.wait(waiting) > 5)
        }
    }
}
