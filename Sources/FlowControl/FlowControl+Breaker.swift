internal import JobQueue
internal import Postgres
internal import Support

/// The circuit breaker of a peer, in the row of its gate: all workers feed it, and one at a time probes. It opens where
/// two workers have met a failure, or the only one that is there.
extension FlowControl {
    /// Says that a call of a peer has failed for a reason that may be the peer's own.
    ///
    /// - Parameters:
    ///   - caller: the gate of the user's account; the calls of one alone open nothing where the peer is reached.
    ///   - isUnreached: whether nobody could be reached.
    ///   - isSilence: whether the peer took the call and did not answer.
    ///   - isRepeated: whether this failure was told before.
    ///   - began: when the call was made.
    ///   - lease: that of the probe, if it was one.
    /// - Returns: that the peer is out of order; nil: not as far as anybody knows.
    public func failed(
        _ peer: Peer,
        caller: GateName,
        isUnreached: Bool,
        isSilence: Bool = false,
        isRepeated: Bool = false,
        began: ContinuousClock.Instant,
        reason: String,
        lease: Int64? = nil
    ) async -> Closing? {
        proven.withLock { _ = $0.remove(peer) }
        guard !configuration.breaker.isOff else { return nil }
        doubted.withLock { _ = $0.insert(peer) }
        let query = PostgresQuery.fail(
            peer,
            beganAgo: .now - began,
            caller: caller.rawValue,
            isUnreached: isUnreached,
            isSilence: isSilence,
            isRepeated: isRepeated,
            configuration.breaker,
            reason: reason,
            by: configuration.worker,
            process: configuration.process,
            lease: lease
        )
        do {
            guard let row = try await told(query, isVerdict: lease != nil) else { return nil }
            let isAlone: Bool = try row.decode("is_alone")
            othersArePresent.withLock { $0 = !isAlone }
            let cause = try row.decode("cause", as: String?.self) ?? reason
            guard try row.decode("is_open") else {
                // The call began before a probe: it is the same outage still.
                guard try row.decode("is_trial") else { return nil }
                return Closing(
                    gate: GateName(peer),
                    opensAt: .now + configuration.breaker.cooldown,
                    reason: cause,
                    refusals: 0,
                    isBroken: true,
                    isProbedByOthers: !isAlone,
                    isKnownUntil: .now
                )
            }
            return remember(
                GateName(peer),
                for: .seconds(try row.decode("wait", as: Double.self)),
                reason: cause,
                refusals: 0,
                isBroken: true,
                isProbedByOthers: !isAlone
            )
        } catch {
            // The database is away: what comes next waits for it.
            return nil
        }
    }

    /// Whether this worker's last call of a peer has succeeded. What others reach it may not.
    public func isProvenHere(_ peer: Peer) -> Bool { proven.withLock { $0.contains(peer) } }

    /// Whether other workers were there when this one last told of a failure.
    public var hasOthers: Bool { othersArePresent.withLock { $0 } }

    /// Says that a peer has answered a call as it should. Costs a statement only where calls of it have failed lately.
    ///
    /// - Parameters:
    ///   - began: when the call was made.
    ///   - lease: that of the probe, if it was one.
    public func succeeded(_ peer: Peer, began: ContinuousClock.Instant, lease: Int64? = nil) async {
        proven.withLock { _ = $0.insert(peer) }
        guard lease != nil || doubted.withLock({ $0.contains(peer) }) else { return }
        do {
            _ = try await told(.succeed(peer, beganAgo: .now - began, lease: lease), isVerdict: lease != nil)
            doubted.withLock { _ = $0.remove(peer) }
            if lease != nil { forget([GateName(peer)]) }
        } catch {
            // The next success says so, or another worker's probe.
        }
    }

    /// Tells the database of a call. A probe's verdict is told even if the caller is cancelled, and again until the
    /// probe's time is over: nobody else may find out meanwhile.
    ///
    /// - Throws: `PostgresError`.
    private func told(_ query: PostgresQuery, isVerdict: Bool) async throws -> PostgresRow? {
        guard isVerdict else { return try await pool.query(query).first }
        return try await uncancellable { [pool, configuration] in
            let deadline = ContinuousClock.now + configuration.breaker.probeTime
            let backoff = Backoff(base: .milliseconds(100), cap: .seconds(1))
            var failures = 0
            while true {
                do {
                    return try await pool.query(query).first
                } catch let error as PostgresError where error.isRetryable || error.isConnectionFailure {
                    guard .now < deadline else { throw error }
                    try await DeadlineQueue.shared.sleep(for: backoff.wait(retry: failures, atLeast: .milliseconds(50)))
                    failures += 1
                }
            }
        }
    }

    /// Gives a probe back that has found out nothing, as its caller was interrupted: another may make one at once.
    public func releaseProbe(of peer: Peer, lease: Int64) async {
        do {
            _ = try await uncancellable { [pool] in try await pool.query(.releaseProbe(of: peer, lease: lease)) }
        } catch {
            // It runs out.
        }
    }

    /// The peers that are out of order, each with the time until its next probe, less than zero for one that is due.
    /// None where the breaker is off.
    ///
    /// - Throws: `PostgresError`.
    public func openBreakers() async throws -> [Peer: Duration] {
        guard !configuration.breaker.isOff else { return [:] }
        return try await pool.query(.openBreakers()).reduce(into: [:]) { open, row in
            guard let peer = try row.decode("gate", as: GateName.self).peer else { return }
            open[peer] = .seconds(try row.decode("wait", as: Double.self))
        }
    }
}
