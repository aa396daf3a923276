internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Records when a call of a peer has succeeded, by the server's clock, unless a later success is known. By primary
    /// key.
    static func recordPeerSuccess(of peer: String, at instant: Date) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_peer_successes AS p (peer, succeeded_at) VALUES (\(peer), \(instant))
            ON CONFLICT (peer) DO UPDATE SET succeeded_at = greatest(p.succeeded_at, excluded.succeeded_at)
            """
        )
    }
}
