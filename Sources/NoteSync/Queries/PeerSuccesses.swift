internal import Postgres

extension PostgresQuery {
    /// Records that a call of a peer has succeeded just now. By primary key.
    static func recordPeerSuccess(of peer: String) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_peer_successes (peer, succeeded_at) VALUES (\(peer), clock_timestamp())
            ON CONFLICT (peer) DO UPDATE SET succeeded_at = excluded.succeeded_at
            """
        )
    }
}
