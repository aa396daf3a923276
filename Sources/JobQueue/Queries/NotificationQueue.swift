package import Postgres

extension PostgresPool {
    /// How full the server's queue of notifications is, from 0 to 1. Reads no table.
    package func notificationQueueUsage() async throws -> Double {
        try await query("SELECT pg_notification_queue_usage() AS usage").first?.decode("usage") ?? 0
    }
}
