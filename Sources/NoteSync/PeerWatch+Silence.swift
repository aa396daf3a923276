internal import FlowControl
internal import JobQueue
internal import Support

/// A user's calls of a peer that were forgiven.
struct ForgivenCalls: Hashable {
    let peer: Peer
    let caller: GateName
}

/// What a peer has said of itself while calls of it were waited for.
struct PeerWords {
    var askedAt: ContinuousClock.Instant?
    /// When it was last found not to be well.
    var wasDownAt: ContinuousClock.Instant?
    /// Since when it has been well.
    var isWellSince: ContinuousClock.Instant?
}

/// Peers that take calls and are silent for a while, shorter than the time limit of a call.
extension PeerWatch {
    // MARK: Calls that have failed

    /// A call that has waited for so long before it failed may have met a peer that was silent, and is back.
    private static let longWait = Duration.seconds(5)

    /// How often that is said of one user's calls within an hour. Who is met by it more often has a fault of its own.
    private static let forgivenAnHour = 2

    /// Whether a call of a peer that says that it is well failed because it was silent meanwhile, as far as anybody can
    /// tell: that others' calls succeed now shows nothing of then.
    func forgives(_ caller: GateName, of peer: Peer, _ failure: CallGate.PeerFailure) -> Bool {
        guard !failure.isUnreached, failure.lasted >= Self.longWait else { return false }
        return forgiven.withLock { forgiven in
            let now = ContinuousClock.now
            let calls = ForgivenCalls(peer: peer, caller: caller)
            forgiven = forgiven.compactMapValues { times in
                let recent = times.filter { now - $0 < .seconds(3600) }
                return recent.isEmpty ? nil : recent
            }
            guard forgiven[calls, default: []].count < Self.forgivenAnHour else { return false }
            forgiven[calls, default: []].append(now)
            return true
        }
    }

    // MARK: Calls that are waited for

    /// How long a call is waited for before its peer is asked whether it is well, and between two such questions of all
    /// the calls of this worker.
    private static let patience = Duration.seconds(12)

    /// What waits in the line of a peer that is back is answered within this time.
    private static let grace = Duration.seconds(5)

    /// Makes a short call that changes nothing, and breaks it off where the peer was silent and is back: it has
    /// forgotten the call, most likely, which would hold its slot until its time is over.
    ///
    /// - Throws: what `send` throws; `NoteSyncError` that spends no attempt where it was broken off.
    func hear<Value: Sendable>(
        out peer: Peer,
        _ send: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        guard !flow.configuration.breaker.isOff else { return try await send() }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await send() }
            group.addTask {
                try await self.untilForgotten(by: peer)
                return nil
            }
            defer { group.cancelAll() }
            if let value = try await group.next() ?? nil { return value }
            throw NoteSyncError.outOfOrder(
                "The \(peer.name) did not answer a call, and is well since.",
                wait: flow.configuration.breaker.cooldown
            )
        }
    }

    /// Returns once a peer has been down since the call began, and well since then.
    private func untilForgotten(by peer: Peer) async throws {
        let began = ContinuousClock.now
        try await DeadlineQueue.shared.sleep(for: Self.patience)
        while true {
            await ask(peer)
            let words = words.withLock { $0[peer] }
            if let down = words?.wasDownAt, let well = words?.isWellSince, began < down, down < well,
                .now - well >= Self.grace
            {
                return
            }
            try await DeadlineQueue.shared.sleep(for: .seconds(1))
        }
    }

    /// Asks a peer whether it is well, if no call of this worker has led to that lately.
    private func ask(_ peer: Peer) async {
        let isDue = words.withLock { words in
            let now = ContinuousClock.now
            if let askedAt = words[peer]?.askedAt, now - askedAt < Self.patience { return false }
            words[peer, default: PeerWords()].askedAt = now
            return true
        }
        guard isDue else { return }
        let isWell = await condition(peer) == .well
        // Who is cut short has found out nothing.
        if Task.isCancelled { return }
        words.withLock { words in
            if !isWell {
                words[peer]?.wasDownAt = .now
                words[peer]?.isWellSince = nil
            } else if words[peer]?.isWellSince == nil {
                words[peer]?.isWellSince = .now
            }
        }
    }
}
