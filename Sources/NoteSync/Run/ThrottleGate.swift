internal import JobQueue
internal import Synchronization

/// Where all notes of a job wait while Notion asks to be left alone.
final class ThrottleGate: Sendable {
    private struct State {
        var opensAt: ContinuousClock.Instant?
        /// How often in a row the gate has closed.
        var closings = 0
    }

    private let state = Mutex(State())
    private let backoff = Backoff(base: .seconds(1), cap: .seconds(60))

    /// Closings in a row after which the job is put off rather than kept waiting.
    static let patience = 10

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

    /// Closes the gate for as long as the peer asks, or with back-off. Calls that were under way when it closed are refused
    /// too; that is one closing all the same.
    func refused(retryAfter: Duration?, now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            if now >= state.opensAt ?? now { state.closings += 1 }
            // Half of full jitter is kept as a floor: going on at once would only be refused again.
            let retry = state.closings - 1
            let wait = retryAfter ?? backoff.wait(retry: retry, atLeast: backoff.ceiling(retry: retry) / 2)
            state.opensAt = max(state.opensAt ?? now, now + wait)
        }
    }

    /// How long the gate stays closed, and whether patience is over.
    var standing: (wait: Duration, isOver: Bool) { standing(now: .now) }

    func standing(now: ContinuousClock.Instant) -> (wait: Duration, isOver: Bool) {
        state.withLock { state in (max((state.opensAt ?? now) - now, .zero), state.closings > Self.patience) }
    }

    var isClosed: Bool { standing.wait > .zero }

    func succeeded() {
        state.withLock { $0.closings = 0 }
    }
}
