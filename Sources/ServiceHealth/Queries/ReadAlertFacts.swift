import FlowControl
package import Foundation
package import Postgres

/// Open alerts of a kind.
package struct OpenAlerts: Sendable {
    package let kind: String
    package let count: Int
    package let since: Date?
}

extension PostgresQuery {
    /// Counts the alerts that are not over, by `sync_alerts_open`.
    ///
    /// Each row: `kind`, `count`, `since`.
    package static func openAlerts() -> PostgresQuery {
        """
        SELECT kind, count(*) AS count, min(first_at) AS since FROM sync_alerts
        WHERE resolved_at IS NULL GROUP BY kind ORDER BY kind
        """
    }

    /// Peers that a worker's check has found to be away, as long as one checks. Reads a row a peer.
    ///
    /// Each row: `peer`, `since`, `reason`.
    package static func peersFoundDown() -> PostgresQuery {
        """
        SELECT peer, down_since AS since, left(reason, 1000) AS reason FROM sync_peer_health
        WHERE down_since IS NOT NULL AND checked_at > now() - interval '5 minutes' ORDER BY peer
        """
    }
}

extension PostgresPool {
    /// Open alerts by kind; nil where this role may not look.
    package func openAlerts() async throws -> [OpenAlerts]? {
        try await unlessDenied {
            try await query(.openAlerts()).map { row in
                OpenAlerts(kind: try row.decode("kind"), count: try row.decode("count"), since: try row.decode("since"))
            }
        }
    }

    /// Peers found to be away; none where this role may not look.
    func peersFoundDown() async throws -> [ServiceFacts.PeerFault] {
        let found = try await unlessDenied {
            try await query(.peersFoundDown()).map { row in
                (
                    peer: try row.decode("peer", as: String.self), since: try row.decode("since", as: Date?.self),
                    reason: try row.decode("reason", as: String?.self)
                )
            }
        }
        return (found ?? []).compactMap { row in
            Peer(rawValue: row.peer).map { ServiceFacts.PeerFault(peer: $0, since: row.since, reason: row.reason) }
        }
    }
}
