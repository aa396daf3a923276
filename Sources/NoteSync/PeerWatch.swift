public import FlowControl
public import JobQueue
public import Logging
public import ServiceLifecycle
internal import Support

/// Tells whether a peer whose calls fail is out of order, or only out of this worker's reach, and keeps a worker from
/// claiming that alone cannot reach one: it would fail jobs that others can run.
///
/// What it finds it says to the breaker of the peer, which opens when the workers agree. Without a breaker it finds
/// nothing.
public final class PeerWatch: Service {
    private let flow: FlowControl
    private let isHealthy: @Sendable (Peer) async -> Bool
    private let claims: ClaimHold
    private let logger: Logger
    /// Peers that this worker alone does not reach.
    private let unreached = Mutex<Set<Peer>>([])
    private let found = Wakeup()

    /// - Parameters:
    ///   - isHealthy: whether a peer says that it is well.
    ///   - claims: what is held.
    public init(
        flow: FlowControl,
        claims: ClaimHold,
        logger: Logger,
        isHealthy: @escaping @Sendable (Peer) async -> Bool
    ) {
        self.flow = flow
        self.claims = claims
        self.logger = logger
        self.isHealthy = isHealthy
    }

    /// Asks a peer, of which a call has just failed, whether it is well.
    ///
    /// - Returns: why the job is put back to the queue: the peer is out of order, or out of this worker's reach; nil:
    ///   it is well, and the failure the job's own matter.
    func outage(of peer: Peer, caller: GateName, reason: String) async -> NoteSyncError? {
        guard !flow.configuration.breaker.isOff else { return nil }
        let began = ContinuousClock.now
        // Who is cut short has found out nothing.
        if await isHealthy(peer) || Task.isCancelled { return nil }
        if let closing = await flow.failed(peer, caller: caller, isUnreached: true, began: began, reason: reason) {
            return .outOfOrder(closing.reason, wait: closing.wait, gate: closing.gate)
        }
        let isNew = unreached.withLock { $0.insert(peer).inserted }
        if isNew {
            logger.warning(
                "This worker does not reach the \(peer.name), and no other has said so. It claims no jobs until it does.",
                metadata: ["error": "\(reason)"]
            )
        }
        let wait = flow.configuration.breaker.cooldown
        claims.hold(for: max(wait, Self.firstHold))
        found.signal()
        return .outOfOrder(reason, wait: wait)
    }

    /// This worker has probed a peer, and it was not well. The next probe is another's, if there is one: this worker
    /// may be the one that is ill, and it would be the first to claim the jobs again that it has put back.
    func probedInVain(_ closing: FlowControl.Closing) {
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

    /// Looks whether the peers are back, after a cooldown that grows, while there are any that this worker does not
    /// reach.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                guard await self.found.wait(atMost: .seconds(3600)) else { continue }
                await self.watchUntilReached()
                self.claims.release()
            }
        }
    }

    private func watchUntilReached() async {
        let breaker = flow.configuration.breaker
        var pause = breaker.cooldown
        while !Task.isCancelled {
            let peers = unreached.withLock { $0 }
            if peers.isEmpty { return }
            claims.hold(for: pause + Self.longestCheck)
            // Cancellation ends the loop.
            try? await DeadlineQueue.shared.sleep(for: pause)
            for peer in peers { await look(at: peer) }
            pause = min(pause * 2, breaker.longestCooldown)
        }
    }

    private static let longestCheck = Duration.seconds(10)

    private func look(at peer: Peer) async {
        let began = ContinuousClock.now
        let isWell = await isHealthy(peer)
        if Task.isCancelled { return }
        if isWell {
            unreached.withLock { _ = $0.remove(peer) }
            logger.notice("This worker reaches the \(peer.name) again.")
            return
        }
        // Once another worker says so too it is out of order for all, and who probes it is agreed upon.
        let reason = "The \(peer.name) does not say that it is well."
        let closing = await flow.failed(
            peer,
            caller: GateName(peer),
            isUnreached: true,
            began: began,
            reason: reason
        )
        if closing != nil { unreached.withLock { _ = $0.remove(peer) } }
    }
}
