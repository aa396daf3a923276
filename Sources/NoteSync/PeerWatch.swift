public import FlowControl
public import JobQueue
public import Logging
internal import Support

/// Tells whether a peer whose calls fail is out of order, or only out of this worker's reach; keeps a worker from
/// claiming that cannot reach one, as it would fail jobs that others can run; and finds out whether a peer that is out
/// of order is back where no job does.
///
/// What it finds it says to the breaker of the peer, which opens when the workers agree. Without a breaker it finds
/// nothing.
public final class PeerWatch: Sendable {
    /// A peer that this worker does not reach.
    struct Unreached {
        var since: ContinuousClock.Instant
        var reason: String
        var nextLook: ContinuousClock.Instant
        var pause: Duration
    }

    /// What this worker has met since its calls of a peer last succeeded.
    struct Trouble {
        var unreached: Unreached?
        /// How long it claims nothing after calls have failed that others found well.
        var penalty: Duration?
        /// Whether the peer has said, when last asked, that it is not well, and no call has succeeded since.
        var wasIll = false
        /// Users whose calls have failed, though the peer says that it is well.
        var callers: Set<GateName> = []
    }

    let flow: FlowControl
    let condition: @Sendable (Peer) async -> PeerCondition
    let claims: ClaimHold
    let logger: Logger
    let troubles = Mutex<[Peer: Trouble]>([:])
    let found = Wakeup()
    /// When calls were forgiven that had been waited for; see ``forgives(_:of:_:)``.
    let forgiven = Mutex<[ForgivenCalls: [ContinuousClock.Instant]]>([:])
    /// How long a call is waited for before its peer is asked whether it is well, and between two such questions of all
    /// the calls of this worker.
    let patience: Duration
    /// What peers have said while calls of them were waited for.
    let words = Mutex<[Peer: PeerWords]>([:])

    /// - Parameters:
    ///   - claims: what is held.
    ///   - patience: how long a call is waited for before its peer is asked whether it is well.
    ///   - condition: what a peer says of itself.
    public init(
        flow: FlowControl,
        claims: ClaimHold,
        logger: Logger,
        patience: Duration = .seconds(12),
        condition: @escaping @Sendable (Peer) async -> PeerCondition
    ) {
        self.patience = patience
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
        if failure.isExplained, condition == .well, !wasIll(peer) { return nil }
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
            return .outOfOrder(
                CallGate.outOfOrder(closing.gate, because: failure.reason),
                wait: closing.wait,
                gate: closing.gate
            )
        }
        switch condition {
        case .well:
            // The call failed before the end of an outage.
            let wasIll = troubles.withLock { troubles in
                defer { troubles[peer]?.wasIll = false }
                return troubles[peer]?.wasIll ?? false
            }
            if wasIll { return .outOfOrder(failure.reason, wait: breaker.cooldown) }
            if forgives(caller, of: peer, failure) { return .outOfOrder(failure.reason, wait: breaker.cooldown) }
            guard isNoMatter(ofJobsAt: peer, caller: caller, failure, answeredAfter: .now - began) else { return nil }
            holdToo(peer, since: began, failure.reason, isAnswered: true, wait: .zero)
            return .outOfOrder(failure.reason, wait: breaker.cooldown)
        // It spends no attempt, and nobody else's word is known. Others may have no such proxy before them.
        case .ill:
            troubles.withLock { $0[peer, default: Trouble()].wasIll = true }
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

    /// Whether a peer that has explained why it could not carry out a call may be out of order: it says so, or is not
    /// there any more. Where the only users whose jobs are due have such notes or accounts, nobody else's calls show
    /// that it is well. That it does not say so in time shows nothing: it has just answered, and may be busy.
    func mayBeOutOfOrder(_ peer: Peer) async -> Bool {
        guard !flow.configuration.breaker.isOff, !wasIll(peer) else { return true }
        switch await condition(peer) {
        case .well, .silent: return false
        case .ill, .unreached: return true
        }
    }

    /// Whether the peer has said, when last asked, that it is not well, and no call has succeeded since.
    private func wasIll(_ peer: Peer) -> Bool { troubles.withLock { $0[peer]?.wasIll ?? false } }

    /// Users whose calls fail at one worker, one after another, before that counts as the worker's matter.
    private static let sufferers = 3

    /// A peer that takes so long to say that it is well was busy with somebody else's call.
    private static let promptness = Duration.seconds(1)

    /// Whether a call has failed for another reason than its job's, though the peer says that it is well: it serves one
    /// call at a time, and that of another took long; or nobody's calls get through from here, where others' do.
    private func isNoMatter(
        ofJobsAt peer: Peer,
        caller: GateName,
        _ failure: CallGate.PeerFailure,
        answeredAfter time: Duration
    ) -> Bool {
        if failure.isSilence, time > Self.promptness { return true }
        guard flow.hasOthers else { return false }
        let isEverybodys = troubles.withLock { troubles in
            let callers = (troubles[peer]?.callers ?? []).union([caller])
            let isEnough = callers.count >= Self.sufferers
            troubles[peer, default: Trouble()].callers = isEnough ? [] : callers
            return isEnough
        }
        if isEverybodys {
            logger.warning(
                """
                Calls of the \(peer.name) by this worker fail for one user after another, and it says that it is well. \
                This worker leaves the jobs to others for a while: check what stands between them.
                """,
                metadata: ["error": "\(failure.reason)"]
            )
        }
        return isEverybodys
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
            let penalty = troubles.withLock { troubles in
                let last = troubles[peer]?.penalty ?? breaker.cooldown / 2
                let penalty = min(last * 2, breaker.longestCooldown)
                troubles[peer, default: Trouble()].penalty = penalty
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
        return troubles.withLock { troubles in
            guard troubles[peer]?.unreached == nil else { return false }
            let unreached = Unreached(since: since, reason: reason, nextLook: .now + pause, pause: pause)
            troubles[peer, default: Trouble()].unreached = unreached
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
    static let firstHold = Duration.seconds(5)

    /// A call of this worker has succeeded, or one of another kind has been answered.
    func reached(_ peer: Peer) {
        let (past, areAllReached) = troubles.withLock { troubles in
            (troubles.removeValue(forKey: peer), troubles.values.allSatisfy { $0.unreached == nil })
        }
        guard let past, past.unreached != nil || past.penalty != nil else { return }
        if past.unreached != nil { logger.notice("This worker reaches the \(peer.name) again.") }
        if areAllReached { claims.release() }
    }
}
