internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Records what a peer's probe found. By primary key.
    ///
    /// - Parameter fault: why it is not there; nil if it is.
    static func recordHealth(of peer: String, fault: PeerProbe.Fault?) -> PostgresQuery {
        """
        INSERT INTO sync_peer_health AS h (peer, down_since, is_silent, reason, checked_at)
        VALUES (\(peer), CASE WHEN \(fault != nil) THEN now() END, \(fault?.isSilence ?? false), \(fault?.reason), now())
        ON CONFLICT (peer) DO UPDATE
        SET down_since = CASE WHEN \(fault != nil) THEN coalesce(h.down_since, now()) END,
            is_silent = excluded.is_silent, reason = excluded.reason, checked_at = now()
        """
    }

    /// Peers whose breaker has been open for so long; for longer one that takes calls and does not answer. Of a peer of
    /// which people have been told it is enough that it is open: it is the same outage still. Reads the gates of peers,
    /// by primary key, and the open alerts.
    ///
    /// Each row: `peer`, `reason`, `since`, `is_silent`.
    static func findOpenBreakers(_ peers: [AlertRules.Peer], after limit: Duration) -> PostgresQuery {
        """
        SELECT g.gate AS peer, coalesce(g.opened_reason, '') AS reason, g.opened_at AS since, g.is_silent
        FROM unnest(\(peers.map(\.name)), \(peers.map(\.silentAfter.seconds))) AS p (peer, silent_after)
        JOIN sync_gates AS g ON g.gate = p.peer
        WHERE g.opened_at <= now() - make_interval(secs =>
                CASE WHEN g.is_silent AND \(limit.seconds) > 0 THEN greatest(p.silent_after, \(limit.seconds)) ELSE \(limit.seconds) END)
            OR g.opened_at IS NOT NULL
                AND EXISTS (SELECT FROM sync_alerts AS a WHERE a.key = \(Condition.peerPrefix) || g.gate AND a.resolved_at IS NULL)
        """
    }

    /// Peers that have been away for so long, one that merely does not answer for longer. Of a peer of which people have
    /// been told it is enough that it is away. A row a peer.
    ///
    /// Each row: `peer`, `reason`, `since`.
    ///
    /// - Parameter besidesBreakers: whether to leave out those whose breaker is open, of which that is told.
    static func findDownPeers(
        _ peers: [AlertRules.Peer],
        after limit: Duration,
        besidesBreakers: Bool
    ) -> PostgresQuery {
        """
        SELECT h.peer, coalesce(h.reason, '') AS reason, h.down_since AS since
        FROM unnest(\(peers.map(\.name)), \(peers.map(\.silentAfter.seconds))) AS p (peer, silent_after)
        JOIN sync_peer_health AS h ON h.peer = p.peer
        WHERE (h.down_since <= now() - make_interval(secs =>
                CASE WHEN h.is_silent THEN greatest(p.silent_after, \(limit.seconds)) ELSE \(limit.seconds) END)
            OR h.down_since IS NOT NULL AND NOT h.is_silent
                AND EXISTS (SELECT FROM sync_alerts AS a WHERE a.key = \(Condition.peerPrefix) || h.peer AND a.resolved_at IS NULL))
            AND NOT (\(besidesBreakers)
                AND EXISTS (SELECT FROM sync_gates AS g WHERE g.gate = h.peer AND g.opened_at IS NOT NULL))
        """
    }
}
