internal import Postgres
internal import Support

/// The circuit breaker of a peer, in the row of its gate: all workers feed it, and one at a time probes. It opens where
/// two workers have met a failure, or the only one that is there.
extension FlowControl {
    /// Says that a call of a peer has failed for a reason that may be the peer's own.
    ///
    /// - Parameters:
    ///   - caller: the gate of the token or account; the calls of one alone open nothing where the peer is reached.
    ///   - isUnreached: whether nobody could be reached, or who was did not say that it is well.
    ///   - began: when the call was made.
    ///   - lease: that of the probe, if it was one.
    /// - Returns: that the peer is out of order; nil: not as far as anybody knows.
    public func failed(
        _ peer: Peer,
        caller: GateName,
        isUnreached: Bool,
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
            isUnreached: isUnreached,
            configuration.breaker,
            reason: reason,
            by: configuration.worker,
            process: configuration.process,
            lease: lease
        )
        do {
            guard let row = try await pool.query(query).first, try row.decode("is_open") else { return nil }
            return remember(
                GateName(peer),
                for: .seconds(try row.decode("wait", as: Double.self)),
                reason: try row.decode("cause", as: String?.self) ?? reason,
                refusals: 0,
                isBroken: true,
                isProbedByOthers: try !row.decode("is_alone", as: Bool.self)
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
