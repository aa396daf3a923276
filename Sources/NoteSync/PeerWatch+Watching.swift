internal import FlowControl
internal import JobQueue
public import ServiceLifecycle
internal import Support

/// Watching peers that are out of order or out of reach.
extension PeerWatch: Service {
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
            let mine = troubles.withLock { $0 }
            let isOutOfReach = mine.values.contains { $0.unreached != nil }
            let wereBroken = broken.keys
            do {
                broken = try await flow.openBreakers()
            } catch {
                // While the database is away nobody claims anything; what this worker has found out holds on.
                if isOutOfReach { claims.hold(for: Self.firstHold + Self.longestCheck) }
                // Cancellation ends the loop.
                try? await DeadlineQueue.shared.sleep(for: Self.firstHold)
                continue
            }
            if !isOutOfReach, broken.isEmpty, wereBroken.isEmpty { return }
            if isOutOfReach { claims.hold(for: interval + Self.longestCheck) }
            for peer in Peer.allCases {
                let isMine = mine[peer]?.unreached != nil || mine[peer]?.penalty != nil
                if let wait = broken[peer] {
                    // A job finds out more than a question; a worker that claims none has none.
                    let grace = isMine ? .zero : min(breaker.cooldown * 2.5, breaker.longestCooldown)
                    if wait + grace <= .zero { await probe(peer) }
                } else if let unreached = mine[peer]?.unreached, unreached.nextLook <= .now || wereBroken.contains(peer)
                {
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
        troubles.withLock { troubles in
            let pause = min(state.pause * 2, longest)
            troubles[peer]?.unreached?.pause = pause
            troubles[peer]?.unreached?.nextLook = .now + pause
        }
    }
}
