internal import Support

/// What one run knows of the Notion Writer's health: a writer in doubt is called by one note at a time, until it
/// answers well.
final class WriterHealth: Sendable {
    /// Its name in `sync_peer_successes`.
    static let peer = "notion_writer"

    private struct State {
        var isInDoubt: Bool
        var isProbed = false
        /// Unknown outcomes, and calls that did not get to the writer, since the last success.
        var ambiguousInARow = 0
        var unreachedInARow = 0
        /// When the latest call that succeeded began.
        var lastSuccess: ContinuousClock.Instant?
        /// When this run last began to doubt the writer.
        var doubtedAt: ContinuousClock.Instant?
        /// Unknown outcomes in a row that end the run.
        var limit: Int
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - isInDoubt: whether an earlier outcome is unknown and no call has succeeded since. One more such outcome is
    ///     then enough.
    ///   - limit: unknown outcomes in a row that end the run.
    init(isInDoubt: Bool, limit: Int) {
        state = Mutex(State(isInDoubt: isInDoubt, limit: isInDoubt ? 1 : limit))
    }

    /// Whether more than one note may call.
    var isWell: Bool { state.withLock { !$0.isInDoubt } }

    /// Whether the caller may call now. While the writer is in doubt one may, and has to say what came of it.
    func admits() -> Bool {
        state.withLock { state in
            guard state.isInDoubt else { return true }
            guard !state.isProbed else { return false }
            state.isProbed = true
            return true
        }
    }

    /// The caller was admitted and has not called after all.
    func calledOff() {
        state.withLock { $0.isProbed = false }
    }

    /// A call that began before the writer was doubted proves nothing, however late its answer comes.
    func succeeded(began: ContinuousClock.Instant) {
        state.withLock { state in
            state.lastSuccess = max(state.lastSuccess ?? began, began)
            if let doubtedAt = state.doubtedAt, began < doubtedAt { return }
            state.isInDoubt = false
            state.isProbed = false
            state.ambiguousInARow = 0
            state.unreachedInARow = 0
        }
    }

    /// An answer that says nothing of the writer's health: it was there and refused.
    func answered() {
        state.withLock { $0.isProbed = false }
    }

    /// Nothing could be sent.
    ///
    /// - Returns: whether the run is to end: too many calls in a row did not get to the writer, of whichever notes.
    func failed() -> Bool {
        state.withLock { state in
            state.isInDoubt = true
            state.doubtedAt = .now
            state.unreachedInARow += 1
            // Until the run has ended nobody else is to find out the same.
            state.isProbed = state.unreachedInARow >= Self.mostUnreached
            return state.isProbed
        }
    }

    /// Calls in a row that did not get to the writer, after which a run ends.
    private static let mostUnreached = 3

    /// - Returns: whether the run is to end: too many outcomes in a row are unknown.
    func becameAmbiguous() -> Bool {
        state.withLock { state in
            state.isInDoubt = true
            state.doubtedAt = .now
            state.ambiguousInARow += 1
            state.isProbed = state.ambiguousInARow >= state.limit
            return state.isProbed
        }
    }

    /// Whether a call of this run has succeeded that began since.
    func hasSucceeded(since instant: ContinuousClock.Instant) -> Bool {
        state.withLock { $0.lastSuccess.map { $0 > instant } ?? false }
    }
}
