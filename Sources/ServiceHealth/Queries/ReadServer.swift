import Foundation
package import Postgres

extension PostgresQuery {
    /// The server's time, and whether sessions begin read-only by a setting that is not a role's: a sidecar's role reads
    /// alone whatever the server does. A server whose disk is full is set so by hand. Reads no table.
    ///
    /// One row: `now`, `is_read_only`.
    package static func server() -> PostgresQuery {
        """
        SELECT clock_timestamp() AS now, EXISTS (
            SELECT FROM pg_settings
            WHERE name = 'default_transaction_read_only' AND setting = 'on'
                AND source IN ('configuration file', 'command line', 'database', 'global')) AS is_read_only
        """
    }
}

extension PostgresPool {
    /// Reads; nil where this role may not, which one made for an earlier version may not, or the table is not there
    /// yet.
    package func unlessDenied<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch let error as PostgresError
            where [.insufficientPrivilege, .undefinedTable, .undefinedColumn].contains(error.sqlState)
        {
            return nil
        }
    }
}
