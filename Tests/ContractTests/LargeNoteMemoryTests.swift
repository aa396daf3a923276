import JobQueue
import Support
import TestSupport
import Testing

@testable import NoteSync
@testable import PeerSimulator

/// Large notes of several jobs are held one batch at a time.
@Suite(.timeLimit(.minutes(2)))
struct LargeNoteMemoryTests {
    @Test func aPermitIsGivenBackWithItsLastHolder() async throws {
        let limiter = ConcurrencyLimiter(limit: 1)
        var permit: LargeBatchPermit? = try await LargeBatchPermit(within: limiter)
        let holder = Task { [permit] in
            try? await Task.sleep(for: .milliseconds(300))
            withExtendedLifetime(permit) {}
        }
        permit = nil
        let began = ContinuousClock.now
        let second = try await LargeBatchPermit(within: limiter)
        #expect(.now - began > .milliseconds(150))
        let waiting = Task { _ = try await LargeBatchPermit(within: limiter) }
        try await Task.sleep(for: .milliseconds(100))
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        withExtendedLifetime(second) {}
        await holder.value
    }

    /// A job with one large note under way does not keep small ones of others, and large ones come one after the other.
    @Test func largeNotesOfSeveralJobsComeOneAfterTheOther() async throws {
        try await withInstallation { sync in
            let text = String(repeating: "large ", count: 1 << 20)
            for number in 1...3 { sync.note("large-\(number)", text: text) }
            sync.faults(.strike(.create, .latency(milliseconds: 500, jitter: 0)))
            let began = ContinuousClock.now
            let job = try await sync.sync()
            #expect(job.status == .completed && job.processedNotes == 3)
            #expect(.now - began > .milliseconds(1400), "not side by side")
            #expect(sync.pages.count == 3)
        }
    }
}
