import FlowControl
import Postgres

extension PostgresQuery {
    /// The peers whose breaker is open. By primary key.
    ///
    /// Each row: `gate`.
    static func brokenPeers() -> PostgresQuery {
        "SELECT gate FROM sync_gates WHERE gate = ANY (\(Peer.allCases.map(\.rawValue))) AND opened_at IS NOT NULL"
    }

    /// What is closed, by peer and scope. Reads `sync_gates`, a row for each user in use.
    ///
    /// Each row: `peer`, `scope`, `closed`, `seconds`.
    static func closedGates() -> PostgresQuery {
        """
        SELECT g.peer, g.scope, count(*) AS closed, max(sync_gate_closed_for(g, clock_timestamp())) AS seconds
        FROM sync_gates AS g WHERE g.closed_until > clock_timestamp() GROUP BY g.peer, g.scope
        """
    }
}

/// How many gates of one kind are closed, and the longest time that one of them stays so.
struct ClosedGates: Sendable {
    var count: Int
    var longest: Duration
}

extension PostgresPool {
    /// Gates that are closed and peers that are out of order, at most so many; none where this role may not look at
    /// them, which a role made for an earlier version may not.
    func gatesThatHoldBack(limit: Int) async throws -> [GateRecord] {
        do {
            return try await GateList(pool: self).gates(isComplete: false, limit: limit).filter(\.isClosed)
        } catch let error as PostgresError
            where error.sqlState == .insufficientPrivilege || error.sqlState == .undefinedTable
        {
            return []
        }
    }

    /// The peers that are out of order; nil where this role may not look.
    func brokenPeers() async throws -> Set<String>? {
        do {
            return Set(try await query(.brokenPeers()).map { try $0.decode("gate", as: String.self) })
        } catch let error as PostgresError
            where error.sqlState == .insufficientPrivilege || error.sqlState == .undefinedTable
        {
            return nil
        }
    }

    /// The closed gates by peer and scope, none of them included; empty where this role may not look at them, which a
    /// role made for an earlier version may not.
    func closedGates() async throws -> [[String]: ClosedGates] {
        let kinds = [["keep_extractor", "account"], ["notion_writer", "token"], ["notion_writer", "workspace"]]
        let all = kinds + Peer.allCases.map { [$0.rawValue, "peer"] }
        do {
            var closed = Dictionary(uniqueKeysWithValues: all.map { ($0, ClosedGates(count: 0, longest: .zero)) })
            for row in try await query(.closedGates()) {
                closed[[try row.decode("peer"), try row.decode("scope")]] = ClosedGates(
                    count: try row.decode("closed"),
                    longest: .seconds(try row.decode("seconds", as: Double.self))
                )
            }
            return closed
        } catch let error as PostgresError
            where error.sqlState == .insufficientPrivilege || error.sqlState == .undefinedTable
        {
            return [:]
        }
    }
}
