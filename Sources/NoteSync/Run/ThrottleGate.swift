internal import JobQueue
internal import Synchronization

/// Where all notes of a job wait while Notion asks to be left alone.
final class ThrottleGate: Sendable {
    private struct State {
        var opensAt: ContinuousClock.Instant?
        var refusals = 0
    }

    private let state = Mutex(State())
    private let backoff = Backoff(base: .seconds(1), cap: .seconds(60))

    /// Refusals in a row after which the job is put off rather than kept waiting.
    static let patience = 20

    /// Returns when nobody is asked to wait.
    ///
    /// - Throws: as `JobContext.check()`.
    func pass(_ context: JobContext) async throws {
        while let opensAt = state.withLock({ $0.opensAt }) {
            let wait = opensAt - ContinuousClock.now
            if wait <= .zero { return }
            try await context.pause(for: wait)
        }
    }

    /// Closes the gate for as long as the peer asks, or with back-off.
    ///
    /// - Returns: how long, and whether patience is over.
    func refused(retryAfter: Duration?) -> (wait: Duration, isOver: Bool) {
        state.withLock { state in
            // Half of full jitter is kept as a floor: going on at once would only be refused again.
            let ceiling = backoff.ceiling(retry: state.refusals)
            let wait = retryAfter ?? backoff.wait(retry: state.refusals, atLeast: ceiling / 2)
            state.refusals += 1
            state.opensAt = max(state.opensAt ?? .now, .now + wait)
            return (wait, state.refusals > Self.patience)
        }
    }

    func succeeded() {
        state.withLock { $0.refusals = 0 }
    }
}
