import Postgres
import Settings

extension PostgresQuery {
    /// Counts the alerts that are not over, by `sync_alerts_open`.
    ///
    /// Each row: `kind`, `count`.
    static func openAlerts() -> PostgresQuery {
        "SELECT kind, count(*) AS count FROM sync_alerts WHERE resolved_at IS NULL GROUP BY kind"
    }
}

extension PostgresPool {
    /// Open alerts by kind, also of kinds of which there is none; empty where this role may not look at them, which a
    /// role made for an earlier version may not.
    func openAlerts() async throws -> [String: Int] {
        do {
            var counts = Dictionary(uniqueKeysWithValues: AlertWord.allCases.map { ($0.rawValue, 0) })
            for row in try await query(.openAlerts()) {
                counts[try row.decode("kind")] = try row.decode("count", as: Int.self)
            }
            return counts
        } catch let error as PostgresError
            where error.sqlState == .insufficientPrivilege || error.sqlState == .undefinedTable
        {
            return [:]
        }
    }
}
