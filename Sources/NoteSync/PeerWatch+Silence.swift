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
    /// Whether it has said so more than once.
    var isConfirmed = false

    mutating func take(isWell: Bool) {
        isConfirmed = isWell && isWellSince != nil
        if !isWell {
            wasDownAt = .now
            isWellSince = nil
        } else if isWellSince == nil {
            isWellSince = .now
        }
    }

    /// Whether it was down after an instant, and is well.
    func isBack(since instant: ContinuousClock.Instant) -> Bool {
        guard let wasDownAt, let isWellSince else { return false }
        return instant < wasDownAt && wasDownAt < isWellSince
    }

    func hasBeenWell(for time: Duration) -> Bool { isWellSince.map { .now - $0 >= time } ?? false }
}

/// When the last byte of an answer came that is being received.
final class AnswerProgress: Sendable {
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    var lastByte: ContinuousClock.Instant? { last.withLock { $0 } }

    func bytesCame() { last.withLock { $0 = .now } }
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
        return mayForgive(caller, of: peer)
    }

    private func mayForgive(_ caller: GateName, of peer: Peer) -> Bool {
        forgiven.withLock { forgiven in
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

    /// What waits in the line of a peer that is back is answered within this part of the patience.
    private var grace: Duration { patience * 5 / 12 }

    /// Longest time, in patiences, between two questions about a peer that takes long over a fetch: one that serves one
    /// call at a time finds them all in its line afterwards.
    private static let longestInterval = 10

    /// A call that may take half an hour, as a fetch does.
    struct LongCall: Sendable {
        /// The user's gate. A peer that was busy with the call itself is not mistaken for one that has forgotten it
        /// more than twice an hour.
        let caller: GateName
        let progress = AnswerProgress()
    }

    /// Makes a call that changes nothing, and breaks it off where the peer was silent and is back: it has forgotten the
    /// call, most likely, which would hold its slot until its time is over.
    ///
    /// - Parameter long: what is known of the call where it is not a short one. It goes on while its answer comes in.
    /// - Throws: what `send` throws; `NoteSyncError` that spends no attempt where it was broken off.
    func hear<Value: Sendable>(
        out peer: Peer,
        _ long: LongCall? = nil,
        _ send: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        guard !flow.configuration.breaker.isOff else { return try await send() }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await send() }
            group.addTask {
                try await self.untilForgotten(by: peer, long)
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

    /// Returns once a peer has been down since the call began, or since the last byte of its answer, and well since
    /// then.
    private func untilForgotten(by peer: Peer, _ long: LongCall?) async throws {
        let began = ContinuousClock.now
        let pause = min(patience / 12, .seconds(1))
        var interval = patience
        try await DeadlineQueue.shared.sleep(for: patience)
        while true {
            await ask(peer, every: interval)
            let words = words.withLock { $0[peer] ?? PeerWords() }
            let lastSign = max(began, long?.progress.lastByte ?? began)
            let isBack = words.isBack(since: lastSign)
            // One that serves one call at a time may have been asked between two of them: a fetch takes a second word.
            let isSure = long == nil ? words.hasBeenWell(for: grace) : words.isConfirmed
            if isBack, isSure, long.map({ mayForgive($0.caller, of: peer) }) ?? true { return }
            if isBack, isSure { try await DeadlineQueue.shared.sleep(for: .seconds(3600)) }
            if long != nil, !isBack {
                interval = min(max((.now - began) / 4, patience), patience * Self.longestInterval)
            } else {
                interval = patience
            }
            try await DeadlineQueue.shared.sleep(for: pause)
        }
    }

    /// Asks a peer whether it is well, if no call of this worker has led to that lately.
    private func ask(_ peer: Peer, every interval: Duration) async {
        let isDue = words.withLock { words in
            let now = ContinuousClock.now
            if let askedAt = words[peer]?.askedAt, now - askedAt < interval { return false }
            words[peer, default: PeerWords()].askedAt = now
            return true
        }
        guard isDue else { return }
        let isWell = await condition(peer) == .well
        // Who is cut short has found out nothing.
        if Task.isCancelled { return }
        words.withLock { $0[peer, default: PeerWords()].take(isWell: isWell) }
    }
}
