internal import FlowControl
internal import JobQueue
internal import Logging
internal import Support

/// Where the calls of one job to a peer pass the gates, one after another: they wait while a gate is closed, and for a permit where
/// there is a pace.
///
/// With a pace no more calls are under way than keep to it. More would queue in front of a peer that serves one at a time, and reach
/// Notion close together when it is done with somebody else's.
final class CallGate: Sendable {
    /// What the calls are.
    struct Calls: Sendable {
        let peer: Peer
        /// The gates that they pass.
        let gates: [GateName]
        /// The one whose permits they take.
        let paced: GateName
        /// Permits that a call costs.
        let cost: Int
        /// Calls for which permits are taken at once.
        let batch: Int
        /// Longest time that a call waits for a gate; for a longer one the job is snoozed.
        let longestWait: Duration
        /// Whether a call that takes seconds longer than others tells of a peer that has too much.
        let isWatched: Bool
    }

    /// Finds out whether a peer is back, by a call that changes nothing; whether it is.
    typealias Prober = @Sendable (Peer) async throws -> Bool

    private struct State {
        var permits: Permits?
        /// Whether the gates are to be asked before the next call.
        var mustAsk = true
        /// Calls that have passed and not ended.
        var underWay = 0
        /// Time spent before closed gates.
        var waited = Duration.zero
        /// Permits of calls that were not made.
        var spare = 0

        /// Permits to be given back.
        mutating func takeUnused() -> Int {
            defer { (permits, spare) = (nil, 0) }
            return (permits?.left ?? 0) + spare
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

    private let flow: FlowControl
    private let calls: Calls
    private let watch: PeerWatch
    /// nil: this job finds out nothing about a peer that is out of order.
    private let prober: Prober?
    /// Whether the times of calls are looked at, which only tell something where there is a pace.
    private let isWatched: Bool
    private let state = Mutex(State())
    /// Calls pass in the order of their coming.
    private let turn = ConcurrencyLimiter(limit: 1)
    private let ended = Wakeup()

    init(_ calls: Calls, flow: FlowControl, watch: PeerWatch, prober: Prober? = nil) {
        self.calls = calls
        self.watch = watch
        self.prober = prober
        self.flow = flow
        isWatched = calls.isWatched && flow.isPaced(calls.paced)
    }

    // MARK: Passing

    /// Returns when a call may be made; ``callEnded(began:_:)``, ``callFailed()`` or ``callOff()`` is to follow.
    ///
    /// - Parameter check: why nobody needs to wait any more; asked twice a second.
    /// - Throws: what `check` throws; `NoteSyncError` with code `throttled` where the wait is too long for a slot.
    func pass(_ context: JobContext, check: () throws -> Void) async throws {
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

    /// Calls that are to be under way at once, so that one ends as the next permit is due. A call takes as long as one that has
    /// waited for no other.
    private func mostUnderWay(_ permits: Permits?) -> Int {
        guard let permits, permits.spacing > .zero else { return .max }
        let interval = permits.spacing * calls.cost
        return max(Int(((flow.callTime(of: calls.peer, behind: calls.paced) ?? .zero) / interval).rounded(.up)), 1)
    }

    private func ask(_ context: JobContext) async throws {
        var (unused, hasSucceeded) = state.withLock { state in
            defer { (state.mustAsk, state.hasSucceeded) = (false, false) }
            return (state.takeUnused(), state.hasSucceeded)
        }
        let admission = try await context.persistently {
            // An answer that is lost may have given them back.
            defer { (unused, hasSucceeded) = (0, false) }
            return try await flow.take(
                calls.cost * calls.batch,
                passing: calls.gates,
                paced: calls.paced,
                unused: unused,
                hasSucceeded: hasSucceeded,
                mayProbe: prober != nil
            )
        }
        switch admission {
        case .permits(let permits): state.withLock { $0.permits = permits }
        case .closed(let closing):
            if isTooLong(closing) { throw Self.snooze(closing) }
        case .probe(let peer, let lease):
            try await probe(peer, lease)
            state.withLock { $0.mustAsk = true }
        }
    }

    /// - Throws: `NoteSyncError` with code `throttled` if the peer is still out of order; what interrupts the probe.
    private func probe(_ peer: Peer, _ lease: Int64) async throws {
        let began = ContinuousClock.now
        guard try await prober?(peer) != true else {
            return await flow.succeeded(peer, began: began, lease: lease)
        }
        let reason = "The \(peer.name) is out of order."
        let closing = await flow.failed(
            peer,
            caller: calls.paced,
            isUnreached: false,
            began: began,
            reason: reason,
            lease: lease
        )
        if let closing { watch.probedInVain(closing) }
        throw NoteSyncError.outOfOrder(
            closing?.reason ?? reason,
            wait: closing?.wait ?? flow.configuration.breaker.cooldown,
            gate: GateName(peer)
        )
    }

    // MARK: Ends of calls

    /// A call has succeeded that began then.
    func callEnded(began: ContinuousClock.Instant, _ context: JobContext) async {
        let now = ContinuousClock.now
        await flow.succeeded(calls.peer, began: began)
        let isSlow = isWatched && flow.add(now - began, of: calls.peer, behind: calls.paced)
        let slows = state.withLock { state in
            state.underWay -= 1
            state.hasSucceeded = true
            guard isSlow, state.slowedAt.map({ now - $0 > .seconds(60) }) ?? true else { return false }
            state.slowedAt = now
            return true
        }
        flow.callEnds(calls.peer)
        ended.signal()
        if slows { await slow(context, began: began) }
    }

    private func slow(_ context: JobContext, began: ContinuousClock.Instant) async {
        do {
            try await flow.slow(calls.paced, began: began)
        } catch {
            context.logger.debug("A next call that is slow slows the pace.", metadata: ["error": "\(error)"])
        }
    }

    /// A call that began then has failed for a reason that may be the peer's own.
    ///
    /// - Returns: why the job is snoozed, if the peer is out of order; nil if it is the job's own matter.
    func peerFailed(isUnreached: Bool, began: ContinuousClock.Instant, reason: String) async -> NoteSyncError? {
        let closing = await flow.failed(
            calls.peer,
            caller: calls.paced,
            isUnreached: isUnreached,
            began: began,
            reason: reason
        )
        return closing.map(Self.snooze)
    }

    /// Waits until others whose calls fail too have said so, and asks the peer itself if none has.
    ///
    /// - Parameter reason: how the last call failed.
    /// - Returns: why the job is snoozed, if the peer is out of order or out of reach; nil if it is the job's own matter.
    func outageAfterSettling(_ context: JobContext, reason: String) async -> NoteSyncError? {
        let breaker = flow.configuration.breaker
        guard !breaker.isOff else { return nil }
        do {
            try await context.pause(for: breaker.settling)
        } catch {
            // The job ends for another reason.
            return nil
        }
        return await outage(context, reason: reason)
    }

    /// Looks whether others have said that the peer is out of order, and asks it itself if none has.
    ///
    /// - Returns: as ``outageAfterSettling(_:reason:)``.
    func outage(_ context: JobContext, reason: String) async -> NoteSyncError? {
        guard !flow.configuration.breaker.isOff else { return nil }
        do {
            let admission = try await flow.take(0, passing: [GateName(calls.peer)], paced: GateName(calls.peer))
            if case .closed(let closing) = admission, closing.isBroken { return Self.snooze(closing) }
            return try await context.unlessStopped { [calls, watch] in
                await watch.outage(of: calls.peer, caller: calls.paced, reason: reason)
            }
        } catch {
            // The job ends for another reason, or the database is away.
            return nil
        }
    }

    /// A call that began then was answered; that something was wrong with it is no fault of the peer.
    func peerAnswered(began: ContinuousClock.Instant) async {
        await flow.succeeded(calls.peer, began: began)
    }

    /// A call has been answered, and not well.
    func callFailed() {
        state.withLock { $0.underWay -= 1 }
        flow.callEnds(calls.peer)
        ended.signal()
    }

    /// A call has not been made after all. Its permits are given back with the next statement: another call that took them now
    /// would go close to the one before.
    func callOff() {
        state.withLock { state in
            if let permits = state.permits, permits.spacing > .zero { state.spare += calls.cost }
            state.underWay -= 1
        }
        flow.callEnds(calls.peer)
        ended.signal()
    }

    /// A call that began then was refused as one too many.
    ///
    /// - Parameter gate: the one to be closed; nil: that of the permits.
    func refused(
        _ gate: GateName? = nil,
        retryAfter: Duration?,
        began: ContinuousClock.Instant,
        reason: String
    ) async {
        let hasSucceeded = state.withLock { state in
            defer { state.hasSucceeded = false }
            return state.hasSucceeded
        }
        let closing = await flow.refuse(
            gate ?? calls.paced,
            asked: retryAfter,
            began: began,
            reason: reason,
            hasSucceeded: hasSucceeded
        )
        if isTooLong(closing) { state.withLock { $0.lastStraw = closing } }
    }

    /// A call that began then was refused by the peer itself, which asks to be left alone: its caller does so, and all do if it says so
    /// to others too.
    func refusedByPeer(
        retryAfter: Duration?,
        began: ContinuousClock.Instant,
        reason: String,
        _ context: JobContext
    ) async {
        do {
            try await flow.refuse(calls.peer, caller: calls.paced, asked: retryAfter, began: began, reason: reason)
        } catch {
            context.logger.debug("The peer's word is known here alone.", metadata: ["error": "\(error)"])
        }
        await refused(retryAfter: retryAfter.map { min($0, NoteSyncError.longestPause) }, began: began, reason: reason)
    }

    /// Gives permits back that nobody uses, at the end of the job. Where that fails they are lost, which delays a next job by seconds.
    func close(_ context: JobContext) async {
        let (unused, hasSucceeded) = state.withLock { state in
            state.mustAsk = true
            return (state.takeUnused(), state.hasSucceeded)
        }
        guard unused > 0 else { return }
        do {
            _ = try await flow.take(
                0,
                passing: [],
                paced: calls.paced,
                unused: unused,
                hasSucceeded: hasSucceeded
            )
        } catch {
            context.logger.debug("Unused permits are lost.", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Closings

    /// The closing that this worker knows of.
    var closing: FlowControl.Closing? { state.withLock { $0.lastStraw } ?? flow.closing(of: calls.gates) }

    var isClosed: Bool { closing != nil }

    /// Whether a closing is not waited for.
    func isTooLong(_ closing: FlowControl.Closing) -> Bool {
        // Also where it is open at once: who says so and refuses again does not mean it.
        closing.isBroken || closing.refusals > Self.maxConsecutiveThrottles || closing.wait > calls.longestWait
    }

    /// Why a job is put off rather than kept in its slot. Those that wait for a gate do not all come back at the same moment.
    static func snooze(_ closing: FlowControl.Closing) -> NoteSyncError {
        if closing.isBroken { return .outOfOrder(closing.reason, wait: closing.wait, gate: closing.gate) }
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
}
