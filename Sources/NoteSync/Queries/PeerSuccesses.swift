internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Records when a call of a peer has succeeded, by the server's clock, unless a later success is known. By primary
    /// key. A row that is locked is passed over: another run writes it, or a person has it in hand, and no note waits.
    static func recordPeerSuccess(of peer: String, at instant: Date) -> PostgresQuery {
        .byIndexGivingWay(
            """
            WITH free AS MATERIALIZED (
                SELECT ctid AS place FROM sync_peer_successes WHERE peer = \(peer) FOR NO KEY UPDATE SKIP LOCKED
            ), known AS (
                UPDATE sync_peer_successes SET succeeded_at = greatest(succeeded_at, \(instant))
                WHERE ctid = ANY (ARRAY(SELECT place FROM free))
            )
            INSERT INTO sync_peer_successes (peer, succeeded_at)
            SELECT \(peer), \(instant)
            WHERE (SELECT true FROM sync_peer_successes WHERE peer = \(peer) LIMIT 1) IS NULL
            ON CONFLICT DO NOTHING
            """
        )
    }
}
