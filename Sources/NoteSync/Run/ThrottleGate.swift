internal import JobQueue
internal import Support

/// Where all notes of a job wait while Notion asks to be left alone.
final class ThrottleGate: Sendable {
    private struct State {
        var opensAt: ContinuousClock.Instant?
        /// How often in a row the gate has closed.
        var closings = 0
    }

    private let state = Mutex(State())
    private let backoff = Backoff(base: .seconds(1), cap: .seconds(60))

    /// Closings in a row after which the job is snoozed rather than kept waiting.
    static let patience = 10
    /// Longest wait that a job spends in its slot; a longer one it is snoozed for.
    static let longestWait = Duration.seconds(60)

    private static let checkInterval = Duration.milliseconds(500)

    /// Returns when nobody is asked to wait.
    ///
    /// - Parameter check: why nobody needs to wait any more; asked twice a second.
    /// - Throws: what `check` throws; `NoteSyncError` with code `throttled` where the wait is too long for a slot.
    func pass(_ context: JobContext, check: () throws -> Void) async throws {
        while true {
            let (wait, isOver) = standing
            if wait <= .zero { return }
            if isOver { throw Self.snooze(for: wait) }
            try await context.pause(for: min(wait, Self.checkInterval))
            try check()
        }
    }

    /// Why a job is put off rather than kept in its slot.
    static func snooze(for wait: Duration) -> NoteSyncError {
        NoteSyncError(.throttled, .snooze(max(wait, .seconds(60))), "Notion keeps limiting the rate.")
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

    /// How long the gate stays closed, and whether the job is to be snoozed.
    var standing: (wait: Duration, isOver: Bool) { standing(now: .now) }

    func standing(now: ContinuousClock.Instant) -> (wait: Duration, isOver: Bool) {
        state.withLock { state in
            let wait = max((state.opensAt ?? now) - now, .zero)
            return (wait, state.closings > Self.patience || wait > Self.longestWait)
        }
    }

    var isClosed: Bool { standing.wait > .zero }

    func succeeded() {
        state.withLock { $0.closings = 0 }
    }
}
