internal import Support

/// A result that waits to be recorded.
struct PendingResult: Sendable {
    var finish: JobFinish
    /// Whoever waits for that; nil for a job that is released because no slot was left for it.
    var continuation: CheckedContinuation<Completer.Completion, Never>?
    let arrivedAt = ContinuousClock.now
    /// Since when the database refuses it for a reason that may be no fault of its own; it is tried again a second
    /// later.
    var refusedSince: ContinuousClock.Instant?
    var refusedAt: ContinuousClock.Instant?
    /// Since when it takes too long, or meets what should pass.
    var heldUpSince: ContinuousClock.Instant?
    /// Since when its record is locked, or seems to be.
    var blockedSince: ContinuousClock.Instant?
    /// Whether its record was free when it was last tried.
    var wasFree = false
    /// Whether an earlier try had no answer.
    var mayBeRecorded = false

    func conclude(_ completion: Completer.Completion) {
        continuation?.resume(returning: completion)
    }
}

/// The results of a worker that are not recorded yet, by what they wait for.
final class PendingResults: Sendable {
    private struct State {
        var arrived: [PendingResult] = []
        /// Those whose records somebody else has locked or that are refused, with jobs to be released, and how often in
        /// a row there were some.
        var blocked: [PendingResult] = []
        var blockedTries = 0
        /// Those that took too long, and those that were with them.
        var heldUp: [[PendingResult]] = []
        /// Those that took too long by themselves, the first to be tried first, and when.
        var slow: [(result: PendingResult, dueAt: ContinuousClock.Instant)] = []
        var claimsAgainAt = ContinuousClock.now
        /// When a result was last recorded.
        var recordedAt: ContinuousClock.Instant?
        /// Since when none is recorded though there are some, while the database answers.
        var failingSince: ContinuousClock.Instant?
        /// When it was last tried whether others could be, and when they last could.
        var othersTriedAt: ContinuousClock.Instant?
        var othersCompleteAt: ContinuousClock.Instant?
        var isEnded = false
    }

    private let state = Mutex(State())

    /// When results are tried again whose records are locked: soon, as a claim of another worker that has only just
    /// missed the job holds its record for some milliseconds; then less often, as a person may hold it for long.
    private static let whileBlocked = Backoff(base: .milliseconds(2), cap: .milliseconds(250))
    static let refusalPause = Duration.seconds(1)
    private static let verdictHolds = Duration.seconds(10)

    var isEnded: Bool { state.withLock { $0.isEnded } }
    var arrivedCount: Int { state.withLock { $0.arrived.count } }

    /// - Returns: false if no more are taken.
    func add(_ result: PendingResult) -> Bool {
        state.withLock { state in
            if !state.isEnded { state.arrived.append(result) }
            return !state.isEnded
        }
    }

    func takeArrived() -> [PendingResult] {
        state.withLock { state in
            defer { state.arrived = [] }
            return state.arrived
        }
    }

    /// Takes no more.
    ///
    /// - Returns: all that wait.
    func end() -> [PendingResult] {
        state.withLock { state in
            state.isEnded = true
            defer { (state.arrived, state.blocked, state.heldUp, state.slow) = ([], [], [], []) }
            return state.arrived + state.blocked + state.heldUp.flatMap(\.self) + state.slow.map(\.result)
        }
    }

    // MARK: Locked or refused

    func addBlocked(_ results: [PendingResult]) {
        state.withLock { state in
            state.blocked += results
            state.blockedTries = state.blocked.isEmpty ? 0 : state.blockedTries + 1
        }
    }

    func takeBlocked() -> [PendingResult] {
        let now = ContinuousClock.now
        return state.withLock { state in
            let isDue = { (waiting: PendingResult) in waiting.refusedAt.map { now - $0 > Self.refusalPause } ?? true }
            defer { state.blocked.removeAll(where: isDue) }
            return state.blocked.filter(isDue)
        }
    }

    /// How soon they are tried again; nil: there are none.
    func untilNextOfBlocked() -> Duration? {
        state.withLock { $0.blocked.isEmpty ? nil : Self.whileBlocked.ceiling(retry: $0.blockedTries) }
    }

    // MARK: Slow

    func addHeldUp(_ results: [PendingResult], inParts count: Int) {
        let size = max(1, (results.count + count - 1) / count)
        let parts = stride(from: 0, to: results.count, by: size).map {
            Array(results[$0..<min($0 + size, results.count)])
        }
        state.withLock { $0.heldUp += parts }
    }

    func takeHeldUp() -> [PendingResult]? {
        state.withLock { $0.heldUp.isEmpty ? nil : $0.heldUp.removeFirst() }
    }

    func addSlow(_ result: PendingResult, dueAfter pause: Duration) {
        state.withLock { $0.slow.append((result, .now + pause)) }
    }

    func takeSlow() -> PendingResult? {
        state.withLock { state in
            guard let first = state.slow.first, first.dueAt <= .now else { return nil }
            return state.slow.removeFirst().result
        }
    }

    /// How soon the first of the slow ones is tried again; nil: there are none.
    func untilNextOfSlow() -> Duration? {
        state.withLock { $0.slow.first.map { max($0.dueAt - .now, .zero) } }
    }

    /// Whether jobs are claimed together with results that are recorded.
    var mayClaim: Bool { state.withLock { $0.claimsAgainAt <= .now } }

    func claimNothing(for time: Duration) { state.withLock { $0.claimsAgainAt = .now + time } }

    // MARK: Whose fault a refusal is

    func haveBeenRecorded() {
        state.withLock { state in
            state.recordedAt = .now
            state.failingSince = nil
        }
    }

    /// None could be recorded.
    ///
    /// - Returns: whether it has been so for longer than `limit`.
    func haveFailed(for limit: Duration) -> Bool {
        state.withLock { state in
            let since = state.failingSince ?? .now
            state.failingSince = since
            return .now - since > limit
        }
    }

    func othersComplete() { state.withLock { $0.othersCompleteAt = .now } }

    /// Whether others were recorded since `time`, or could be a moment ago.
    func wereRecorded(since time: ContinuousClock.Instant?) -> Bool {
        state.withLock { state in
            if let at = state.othersCompleteAt, .now - at < Self.verdictHolds { return true }
            guard let time else { return false }
            return state.recordedAt.map { $0 > time } ?? false
        }
    }

    /// Whether to look whether others can be recorded; each time for one of those that ask.
    func mayTryOthers() -> Bool {
        let now = ContinuousClock.now
        return state.withLock { state in
            guard state.othersTriedAt.map({ now - $0 > Self.refusalPause }) ?? true else { return false }
            state.othersTriedAt = now
            return true
        }
    }
}
