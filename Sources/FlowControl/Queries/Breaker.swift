internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Records that a call of a peer has failed; see `sync_gate_fail` in `migrations/0010_flow_control.sql`. By primary
    /// key.
    ///
    /// One row: `is_open`, `is_trial`, `wait`, `cause`, `is_alone`.
    static func fail(
        _ peer: Peer,
        beganAgo: Duration,
        caller: String,
        isUnreached: Bool,
        isSilence: Bool,
        isRepeated: Bool,
        _ breaker: BreakerConfiguration,
        reason: String,
        by worker: String,
        process: String,
        lease: Int64?
    ) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT * FROM sync_gate_fail(\(GateName(peer)), \(beganAgo.seconds), \(caller), \(isUnreached), \(isSilence),
                \(isRepeated), \(Int32(breaker.failures)), \(breaker.cooldown.seconds), \(breaker.longestCooldown.seconds),
                \(breaker.persistence.seconds), \(reason), \(worker), \(process), \(lease))
            """
        )
    }

    /// Records that a peer has answered; see `sync_gate_succeed`. By primary key.
    static func succeed(_ peer: Peer, beganAgo: Duration, lease: Int64?) -> PostgresQuery {
        .byIndexGivingWay("SELECT sync_gate_succeed(\(GateName(peer)), \(beganAgo.seconds), \(lease))::text")
    }

    /// Gives a probe back whose caller has found out nothing: another may make one at once. By primary key.
    static func releaseProbe(of peer: Peer, lease: Int64) -> PostgresQuery {
        .byIndexGivingWay(
            """
            UPDATE sync_gates SET probe_lease = NULL, probe_until = NULL
            WHERE gate = \(GateName(peer)) AND probe_lease = \(lease)
            """
        )
    }

    /// Peers that are out of order. By primary key.
    ///
    /// Each row: `gate`; `wait`, seconds until it may be probed, less than zero for one that is due.
    static func openBreakers() -> PostgresQuery {
        .byIndex(
            """
            SELECT g.gate, greatest(least(extract(epoch FROM g.probe_at - clock_timestamp()), g.cooldown),
                    nullif(sync_gate_closed_for(g, clock_timestamp()), 0))::float8 AS wait
            FROM sync_gates AS g WHERE g.gate = ANY (\(Peer.allCases.map(\.rawValue))) AND g.opened_at IS NOT NULL
            """
        )
    }
}
