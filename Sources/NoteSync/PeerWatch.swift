public import FlowControl
public import JobQueue
public import Logging
public import ServiceLifecycle
internal import Support

/// Tells whether a peer whose calls fail is out of order, or only out of this worker's reach; keeps a worker from
/// claiming that cannot reach one, as it would fail jobs that others can run; and finds out whether a peer that is out
/// of order is back where no job does.
///
/// What it finds it says to the breaker of the peer, which opens when the workers agree. Without a breaker it finds
/// nothing.
public final class PeerWatch: Service {
    /// A peer that this worker does not reach.
    private struct Unreached {
        var since: ContinuousClock.Instant
        var reason: String
        var nextLook: ContinuousClock.Instant
        var pause: Duration
    }

    private let flow: FlowControl
    private let condition: @Sendable (Peer) async -> PeerCondition
    private let claims: ClaimHold
    private let logger: Logger
    private let unreached = Mutex<[Peer: Unreached]>([:])
    /// How long this worker claims nothing after calls of a peer have failed that others found well.
    private let penalties = Mutex<[Peer: Duration]>([:])
    private let found = Wakeup()

    /// - Parameters:
    ///   - condition: what a peer says of itself.
    ///   - claims: what is held.
    public init(
        flow: FlowControl,
        claims: ClaimHold,
        logger: Logger,
        condition: @escaping @Sendable (Peer) async -> PeerCondition
    ) {
        self.flow = flow
        self.claims = claims
        self.logger = logger
        self.condition = condition
    }

    // MARK: Jobs whose calls have failed

    /// Asks a peer, of which a call has just failed, whether it is well.
    ///
    /// - Returns: why the job is put back to the queue: the peer is out of order, or out of this worker's reach; nil:
    ///   the failure is the job's own matter as far as anybody knows.
    func outage(of peer: Peer, caller: GateName, _ failure: CallGate.PeerFailure) async -> NoteSyncError? {
        let breaker = flow.configuration.breaker
        guard !breaker.isOff else { return nil }
        let began = ContinuousClock.now
        let condition = await condition(peer)
        // Who is cut short has found out nothing.
        if Task.isCancelled { return nil }
        let closing = await flow.failed(
            peer,
            caller: caller,
            isUnreached: condition == .unreached,
            isSilence: condition == .silent,
            isRepeated: condition == .well,
            // Where it says that it is well the call that failed still stands against that.
            began: condition == .well ? failure.began : began,
            reason: failure.reason
        )
        if let closing {
            if condition != .well {
                holdToo(peer, since: began, failure.reason, isAnswered: condition == .ill, wait: closing.wait)
            }
            found.signal()
            return CallGate.snooze(closing)
        }
        switch condition {
        case .well: return nil
        // It spends no attempt, and nobody else's word is known. Others may have no such proxy before them.
        case .ill:
            if flow.hasOthers { holdToo(peer, since: began, failure.reason, isAnswered: true, wait: .zero) }
            return .outOfOrder(failure.reason, wait: flow.hasOthers ? breaker.cooldown : breaker.longestCooldown)
        // A question that is not answered says little where calls are.
        case .silent where !failure.isSilence && !failure.isUnreached:
            return .outOfOrder(failure.reason, wait: breaker.longestCooldown)
        case .silent, .unreached:
            hold(peer, since: began, failure.reason)
            return .outOfOrder(failure.reason, wait: breaker.cooldown)
        }
    }

    private func hold(_ peer: Peer, since: ContinuousClock.Instant, _ reason: String) {
        if isOutOfReach(peer, since: since, reason) {
            logger.warning(
                "This worker does not reach the \(peer.name), and no other has said so. It claims no jobs until it does.",
                metadata: ["error": "\(reason)"]
            )
        }
        found.signal()
    }

    /// A call of a peer that is out of order has failed here too. Whatever the others find out meanwhile, this worker
    /// claims nothing until it has seen for itself that it reaches the peer: it may be among those whose network it is.
    func isOutOfOrder(_ peer: Peer, _ failure: CallGate.PeerFailure, wait: Duration) {
        let isAnswered = !failure.isUnreached && !failure.isSilence
        holdToo(peer, since: failure.began, failure.reason, isAnswered: isAnswered, wait: wait)
        found.signal()
    }

    /// - Parameters:
    ///   - isAnswered: whether somebody answers: the peer, or a proxy of this worker's alone. Then claims are held for a
    ///     while, longer each time, until the peer says that it is well or a call succeeds.
    ///   - wait: until the next probe.
    private func holdToo(
        _ peer: Peer,
        since: ContinuousClock.Instant,
        _ reason: String,
        isAnswered: Bool,
        wait: Duration
    ) {
        if isAnswered {
            let breaker = flow.configuration.breaker
            let penalty = penalties.withLock { penalties in
                let penalty = min((penalties[peer] ?? breaker.cooldown / 2) * 2, breaker.longestCooldown)
                penalties[peer] = penalty
                return penalty
            }
            // Others come first to what it puts back.
            return claims.hold(for: wait + penalty + Self.headStart)
        }
        guard isOutOfReach(peer, since: since, reason) else { return }
        logger.notice(
            "The \(peer.name) is out of order, and this worker does not reach it. It claims no jobs until it does.",
            metadata: ["error": "\(reason)"]
        )
    }

    /// Holds claims.
    ///
    /// - Returns: whether that is new.
    private func isOutOfReach(_ peer: Peer, since: ContinuousClock.Instant, _ reason: String) -> Bool {
        let pause = flow.configuration.breaker.cooldown
        claims.hold(for: max(pause, Self.firstHold))
        return unreached.withLock { unreached in
            guard unreached[peer] == nil else { return false }
            unreached[peer] = Unreached(since: since, reason: reason, nextLook: .now + pause, pause: pause)
            return true
        }
    }

    /// This worker has probed a peer, and it was not well. The next probe is another's, if there is one: this worker
    /// may be the one that is ill, and it would be the first to claim the jobs again that it has put back.
    func probedInVain(_ closing: FlowControl.Closing) {
        found.signal()
        guard closing.isProbedByOthers else { return }
        logger.notice(
            "Another worker finds out next whether the peer is well; until then this one claims no jobs.",
            metadata: [
                "gate": "\(closing.gate)", "seconds": "\(Int(closing.wait.seconds.rounded(.up)))",
                "reason": "\(closing.reason)",
            ]
        )
        claims.hold(for: closing.wait + Self.headStart)
    }

    /// Which other workers have, as in `sync_gates_take`.
    private static let headStart = Duration.seconds(3)

    /// Until ``run()`` has looked.
    private static let firstHold = Duration.seconds(5)

    // MARK: Watching

    /// How often a worker that has heard of nothing asks whether a peer is out of order.
    private static let longestIgnorance = Duration.seconds(30)

    private static let longestCheck = Duration.seconds(10)

    /// Looks after the peers that are out of order, or out of this worker's reach, until there are none.
    public func run() async throws {
        guard !flow.configuration.breaker.isOff else { return await waitUntilStopped() }
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.found.wait(atMost: Self.longestIgnorance)
                await self.attend()
            }
        }
    }

    private func waitUntilStopped() async {
        await cancelWhenGracefulShutdown {
            // Cancellation ends it.
            while !Task.isCancelled { try? await DeadlineQueue.shared.sleep(for: .seconds(3600)) }
        }
    }

    private func attend() async {
        let breaker = flow.configuration.breaker
        let interval = min(breaker.cooldown / 2, .seconds(1))
        var broken: [Peer: Duration] = [:]
        while !Task.isCancelled {
            let mine = unreached.withLock { $0 }
            let wereBroken = broken.keys
            do {
                broken = try await flow.openBreakers()
            } catch {
                // While the database is away nobody claims anything; what this worker has found out holds on.
                if !mine.isEmpty { claims.hold(for: Self.firstHold + Self.longestCheck) }
                // Cancellation ends the loop.
                try? await DeadlineQueue.shared.sleep(for: Self.firstHold)
                continue
            }
            if mine.isEmpty, broken.isEmpty, wereBroken.isEmpty { return }
            if !mine.isEmpty { claims.hold(for: interval + Self.longestCheck) }
            for peer in Peer.allCases {
                let isMine = mine[peer] != nil || penalties.withLock { $0[peer] != nil }
                if let wait = broken[peer] {
                    // A job finds out more than a question; a worker that claims none has none.
                    let grace = isMine ? .zero : min(breaker.cooldown * 2.5, breaker.longestCooldown)
                    if wait + grace <= .zero { await probe(peer) }
                } else if let unreached = mine[peer], unreached.nextLook <= .now || wereBroken.contains(peer) {
                    await look(at: peer, unreached)
                } else if isMine, wereBroken.contains(peer), await condition(peer) == .well {
                    reached(peer)
                }
            }
            // Cancellation ends the loop.
            try? await DeadlineQueue.shared.sleep(for: interval)
        }
    }

    /// Asks a peer that is out of order, if nobody else does.
    private func probe(_ peer: Peer) async {
        let gate = GateName(peer)
        // A database that is away is asked again.
        guard case .probe(_, let lease)? = try? await flow.take(0, passing: [gate], paced: gate, mayProbe: true) else {
            return
        }
        let began = ContinuousClock.now
        let condition = await condition(peer)
        if Task.isCancelled { return await flow.releaseProbe(of: peer, lease: lease) }
        if condition == .well {
            reached(peer)
            return await flow.succeeded(peer, began: began, lease: lease)
        }
        _ = await flow.failed(
            peer,
            caller: gate,
            isUnreached: condition == .unreached,
            isSilence: condition == .silent,
            began: began,
            reason: "The \(peer.name) does not say that it is well.",
            lease: lease
        )
    }

    /// Asks a peer that this worker does not reach. Once another says so too it is out of order for all; a success of
    /// another's since this worker has lost it tells that it is not.
    private func look(at peer: Peer, _ state: Unreached) async {
        let condition = await condition(peer)
        if Task.isCancelled { return }
        guard condition == .silent || condition == .unreached else { return reached(peer) }
        _ = await flow.failed(
            peer,
            caller: GateName(peer),
            isUnreached: condition == .unreached,
            isSilence: condition == .silent,
            began: state.since,
            reason: state.reason
        )
        let longest = flow.configuration.breaker.longestCooldown
        unreached.withLock { unreached in
            let pause = min(state.pause * 2, longest)
            unreached[peer]?.pause = pause
            unreached[peer]?.nextLook = .now + pause
        }
    }

    /// A call of this worker has succeeded, or one of another kind has been answered.
    func reached(_ peer: Peer) {
        let wasHeld = penalties.withLock { $0.removeValue(forKey: peer) != nil }
        let (wasUnreached, areAll) = unreached.withLock { ($0.removeValue(forKey: peer) != nil, $0.isEmpty) }
        guard wasUnreached || wasHeld else { return }
        if wasUnreached { logger.notice("This worker reaches the \(peer.name) again.") }
        if areAll { claims.release() }
    }
}
