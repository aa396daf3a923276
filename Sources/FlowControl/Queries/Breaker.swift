internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Records that a call of a peer has failed; see `sync_gate_fail` in `migrations/0010_flow_control.sql`. By primary
    /// key.
    ///
    /// One row: `is_open`, `wait`, `cause`, `is_alone`.
    static func fail(
        _ peer: Peer,
        beganAgo: Duration,
        caller: String,
        isUnreached: Bool,
        _ breaker: BreakerConfiguration,
        reason: String,
        by worker: String,
        process: String,
        lease: Int64?
    ) -> PostgresQuery {
        .byIndex(
            """
            SELECT * FROM sync_gate_fail(\(GateName(peer)), \(beganAgo.seconds), \(caller), \(isUnreached), \(Int32(breaker.failures)),
                \(breaker.cooldown.seconds), \(breaker.longestCooldown.seconds), \(reason), \(worker),
                \(process), \(lease))
            """
        )
    }

    /// Records that a peer has answered; see `sync_gate_succeed`. By primary key.
    static func succeed(_ peer: Peer, beganAgo: Duration, lease: Int64?) -> PostgresQuery {
        .byIndex("SELECT sync_gate_succeed(\(GateName(peer)), \(beganAgo.seconds), \(lease))::text")
    }
}
