internal import FlowControl
internal import JobQueue
internal import Support

/// Where the calls of one job to a peer pass the gates, one after another: they wait while a gate is closed, and for a
/// permit where there is a pace.
///
/// With a pace no more calls are under way than keep to it. More would queue in front of a peer that serves one at a
/// time, and reach Notion close together when it is done with somebody else's.
final class CallGate: Sendable {
    /// What the calls are.
    struct Calls: Sendable {
        let peer: Peer
        /// The gates that they pass.
        let gates: [GateName]
        /// The one whose permits they take.
        let paced: GateName
        /// The user's, for whom they are made: users may share a token.
        let caller: GateName
        /// Permits that a call costs.
        let cost: Int
        /// Calls for which permits are taken at once, where so many wait.
        let batch: Int
        /// Those of them that follow one another in any case.
        let leastBatch: Int
        /// Longest time that a call waits for a gate; for a longer one the job is snoozed.
        let longestWait: Duration
        /// Whether a call that takes seconds longer than others tells of a peer that has too much.
        let isWatched: Bool
    }

    /// Finds out whether a peer is back, by a call that changes nothing.
    typealias Prober = @Sendable (Peer) async throws -> PeerCondition

    /// A call that has failed for a reason that may be the peer's own.
    struct PeerFailure: Sendable {
        /// Whether it did not get to the peer.
        var isUnreached: Bool
        /// Whether the peer took it and did not answer.
        var isSilence: Bool
        /// When it was made.
        var began: ContinuousClock.Instant
        var reason: String
        /// How long it was heard out.
        var lasted = Duration.zero
        /// Whether the peer itself has answered that it could not carry out this call, for a reason that may be the
        /// call's own.
        var isExplained = false
    }

    /// What is known between two calls.
    struct State {
        var permits: Permits?
        /// Permits a second, as they last came; nil: none have.
        var pace: Double?
        /// Whether the gates are to be asked before the next call.
        var mustAsk = true
        /// Calls that have passed and not ended.
        var underWay = 0
        /// Time spent before closed gates.
        var waited = Duration.zero
        /// Permits of calls that were not made.
        var spare = 0

        /// Permits to be given back.
        mutating func takeUnused() -> UnusedPermits {
            defer { (permits, spare) = (nil, 0) }
            return UnusedPermits(permits, calledOff: spare)
        }
        var hasSucceeded = false
        /// A refusal after which the job is snoozed.
        var lastStraw: FlowControl.Closing?
        var slowedAt: ContinuousClock.Instant?
    }

    private enum Step {
        case go, ask
        case wait(Duration)
        /// As many calls are under way as the pace needs.
        case full
    }

    /// Refusals in a row after which the job is snoozed rather than kept waiting.
    static let maxConsecutiveThrottles = 10

    /// How many of the longest waits a job may spend in its slot: others need it.
    private static let longWaits = 2

    private static let checkInterval = Duration.milliseconds(500)

    let flow: FlowControl
    let calls: Calls
    let watch: PeerWatch
    /// nil: this job finds out nothing about a peer that is out of order.
    private let prober: Prober?
    /// Whether the times of calls are looked at, which only tell something where there is a pace.
    let isWatched: Bool
    private let isPaced: Bool
    let state = Mutex(State())
    /// Calls pass in the order of their coming.
    private let turn = ConcurrencyLimiter(limit: 1)
    let ended = Wakeup()

    init(_ calls: Calls, flow: FlowControl, watch: PeerWatch, prober: Prober? = nil) {
        self.calls = calls
        self.watch = watch
        self.prober = prober
        self.flow = flow
        isPaced = flow.isPaced(calls.paced)
        isWatched = calls.isWatched && isPaced
    }

    // MARK: Passing

    /// Returns when a call may be made; ``callEnded(began:_:)``, ``callFailed()`` or ``callOff()`` is to follow.
    ///
    /// - Parameter check: why nobody needs to wait any more; asked twice a second.
    /// - Throws: what `check` throws; `NoteSyncError` with code `throttled` where the wait is too long for a slot.
    func pass(_ context: JobContext, check: () throws -> Void) async throws {
        try check()
        if passesAtOnce() { return flow.callBegins(calls.peer) }
        guard await turn.acquire() else { throw CancellationError() }
        defer { turn.release() }
        while true {
            try check()
            switch try step() {
            case .go: return flow.callBegins(calls.peer)
            case .ask: try await ask(context)
            case .wait(let duration): try await context.pause(for: min(duration, Self.checkInterval))
            case .full: await ended.wait(atMost: Self.checkInterval)
            }
        }
    }

    /// Whether a call passes without its turn, as there is nothing to wait for: no pace, and no gate that is closed as
    /// far as this worker knows. Changes nothing where it does not.
    private func passesAtOnce() -> Bool {
        guard !isPaced, flow.closing(of: calls.gates) == nil else { return false }
        return state.withLock { state in
            let isKnown = !state.mustAsk && state.lastStraw == nil && state.permits?.due(cost: calls.cost) != nil
            if isKnown { state.underWay += 1 }
            return isKnown
        }
    }

    private func step() throws -> Step {
        let now = ContinuousClock.now
        let (lastStraw, mustAsk) = state.withLock { ($0.lastStraw, $0.mustAsk) }
        if let lastStraw { throw Self.snooze(lastStraw) }
        if !mustAsk, let closing = flow.closing(of: calls.gates) {
            let wait = min(closing.opensAt, closing.isKnownUntil) - now
            let waited = state.withLock { state in
                state.mustAsk = wait <= Self.checkInterval
                state.waited += min(wait, Self.checkInterval)
                return state.waited
            }
            if isTooLong(closing) || waited > calls.longestWait * Self.longWaits { throw Self.snooze(closing) }
            return .wait(wait)
        }
        return state.withLock { state in
            guard !state.mustAsk, let due = state.permits?.due(cost: calls.cost, now: now) else { return .ask }
            if due > now { return .wait(due - now) }
            if state.underWay >= mostUnderWay(state.permits) { return .full }
            state.permits?.use(cost: calls.cost, now: now)
            state.underWay += 1
            return .go
        }
    }

    /// Calls that are to be under way at once, so that one ends as the next permit is due. A call takes as long as one
    /// that has waited for no other.
    private func mostUnderWay(_ permits: Permits?) -> Int {
        guard let permits, permits.spacing > .zero else { return .max }
        let interval = permits.spacing * calls.cost
        return max(Int(((flow.callTime(of: calls.peer, behind: calls.paced) ?? .zero) / interval).rounded(.up)), 1)
    }

    /// For how many calls permits are taken: those that wait and not more, as what is given back leaves a gap in the
    /// schedule; and not for longer than some seconds, as another worker may hear meanwhile that the gate is to close.
    private var callsAhead: Int {
        let waiting = min(max(turn.waiting + 1, calls.leastBatch), calls.batch)
        guard isPaced else { return waiting }
        let limit = flow.configuration.pace(of: calls.paced).permitsPerSecond
        let pace = state.withLock { $0.pace }.map { min($0, limit) } ?? limit
        return max(min(waiting, Int(Self.longestSchedule.seconds * pace / Double(calls.cost))), calls.leastBatch)
    }

    private static let longestSchedule = Duration.seconds(4)

    private func ask(_ context: JobContext) async throws {
        var (unused, hasSucceeded) = state.withLock { state in
            defer { (state.mustAsk, state.hasSucceeded) = (false, false) }
            return (state.takeUnused(), state.hasSucceeded)
        }
        let wanted = calls.cost * callsAhead
        let admission = try await context.persistently {
            // An answer that is lost may have given them back.
            defer { (unused, hasSucceeded) = (.none, false) }
            return try await flow.take(
                wanted,
                passing: calls.gates,
                paced: calls.paced,
                unused: unused,
                hasSucceeded: hasSucceeded,
                mayProbe: prober != nil
            )
        }
        switch admission {
        case .permits(let permits):
            state.withLock { state in
                state.permits = permits
                if permits.spacing > .zero { state.pace = 1 / permits.spacing.seconds }
            }
        case .closed(let closing):
            if isTooLong(closing) { throw Self.snooze(closing) }
        case .probe(let peer, let lease):
            try await probe(peer, lease)
            state.withLock { $0.mustAsk = true }
        }
    }

    /// - Throws: `NoteSyncError` if the peer is still out of order; what interrupts the probe, which another may then
    ///   make.
    private func probe(_ peer: Peer, _ lease: Int64) async throws {
        let began = ContinuousClock.now
        let condition: PeerCondition
        do {
            condition = try await prober?(peer) ?? .well
        } catch {
            await flow.releaseProbe(of: peer, lease: lease)
            throw error
        }
        guard condition != .well else { return await flow.succeeded(peer, began: began, lease: lease) }
        let closing = await flow.failed(
            peer,
            caller: calls.caller,
            isUnreached: condition == .unreached,
            isSilence: condition == .silent,
            began: began,
            reason: "The \(peer.name) \(condition.words).",
            lease: lease
        )
        if let closing {
            watch.probedInVain(closing)
            throw Self.snooze(closing)
        }
        throw NoteSyncError.outOfOrder(
            Self.outOfOrder(GateName(peer), because: "It \(condition.words)"),
            wait: flow.configuration.breaker.cooldown,
            gate: GateName(peer)
        )
    }

    // MARK: Closings

    /// The closing that this worker knows of.
    var closing: FlowControl.Closing? { state.withLock { $0.lastStraw } ?? flow.closing(of: calls.gates) }

    var isClosed: Bool { closing != nil }

    /// Whether a closing is not waited for. What is about to begin does not wait for a peer that is out of order; what
    /// has fetched its notes does for a while.
    func isTooLong(_ closing: FlowControl.Closing) -> Bool {
        // Also where it is open at once: who says so and refuses again does not mean it.
        closing.isBroken && prober != nil || closing.refusals > Self.maxConsecutiveThrottles
            || closing.wait > calls.longestWait
    }

    /// Why a job is put off rather than kept in its slot. Those that wait for a gate do not all come back at the same
    /// moment.
    static func snooze(_ closing: FlowControl.Closing) -> NoteSyncError {
        if closing.isBroken {
            let words = outOfOrder(closing.gate, because: closing.reason)
            return .outOfOrder(words, wait: closing.wait, gate: closing.gate)
        }
        let floor = closing.refusals > maxConsecutiveThrottles ? Duration.seconds(60) : .zero
        let wait = max(closing.wait, floor)
        let spread = min(max(wait * 0.1, .milliseconds(500)), .seconds(5))
        return NoteSyncError(
            .throttled,
            .snooze(wait + spread * Double.random(in: 0...1)),
            // It may be open by the time at which somebody reads that.
            "The gate \(closing.gate) was closed: \(closing.reason)",
            gate: closing.gate
        )
    }

    /// That a peer is out of order, and why: what a call of it met, in words that quote nothing.
    static func outOfOrder(_ gate: GateName, because reason: String) -> String {
        "The \(gate.peer?.name ?? "\(gate)") is out of order: \(reason.withFullStop)"
    }
}
