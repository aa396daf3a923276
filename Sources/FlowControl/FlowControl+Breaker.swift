internal import Postgres
internal import Support

/// The circuit breaker of a peer, in the row of its gate: all workers feed it, and one at a time probes.
extension FlowControl {
    /// Says that a call of a peer has failed for a reason that may be the peer's own.
    ///
    /// - Parameters:
    ///   - caller: the gate of the token or account; the calls of one alone open nothing unless nothing listens.
    ///   - isRefused: whether nobody could be reached, and nothing was sent.
    ///   - began: when the call was made.
    ///   - lease: that of the probe, if it was one.
    /// - Returns: that the peer is out of order; nil: not as far as anybody knows.
    public func failed(
        _ peer: Peer,
        caller: GateName,
        isRefused: Bool,
        began: ContinuousClock.Instant,
        reason: String,
        lease: Int64? = nil
    ) async -> Closing? {
        guard !configuration.breaker.isOff else { return nil }
        doubted.withLock { _ = $0.insert(peer) }
        let query = PostgresQuery.fail(
            peer,
            beganAgo: .now - began,
            caller: caller.rawValue,
            isRefused: isRefused,
            configuration.breaker,
            reason: reason,
            by: configuration.worker,
            lease: lease
        )
        do {
            guard let row = try await pool.query(query).first, try row.decode("is_open") else { return nil }
            return remember(
                GateName(peer),
                for: .seconds(try row.decode("wait", as: Double.self)),
                reason: reason,
                refusals: 0,
                isBroken: true
            )
        } catch {
            // The database is away: what comes next waits for it.
            return nil
        }
    }

    /// Says that a peer has answered a call as it should. Costs a statement only where calls of it have failed lately.
    ///
    /// - Parameters:
    ///   - began: when the call was made.
    ///   - lease: that of the probe, if it was one.
    public func succeeded(_ peer: Peer, began: ContinuousClock.Instant, lease: Int64? = nil) async {
        guard lease != nil || doubted.withLock({ $0.contains(peer) }) else { return }
        do {
            _ = try await pool.query(.succeed(peer, beganAgo: .now - began, lease: lease))
            doubted.withLock { _ = $0.remove(peer) }
            if lease != nil { forget([GateName(peer)]) }
        } catch {
            // The next success says so, or another worker's probe.
        }
    }
}
