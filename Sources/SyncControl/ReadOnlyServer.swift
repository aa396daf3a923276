import Logging
import Postgres

extension PostgresError {
    /// Whether the session may only read. libpq, which looks for a server that takes writes, gives no code for it.
    var saysReadOnly: Bool {
        if sqlState == .readOnlySQLTransaction { return true }
        return isConnectionFailure
            && ["session is read-only", "server is in hot standby mode"].contains { message.contains($0) }
    }
}

extension SyncControlError {
    /// Why no session that may write could be had. The error is the same for a standby and for a setting of the role,
    /// so the server is asked.
    ///
    /// - Returns: nil if it does not say so, or does not answer.
    static func readOnly(_ configuration: PostgresConfiguration, logger: Logger) async -> SyncControlError? {
        var reading = configuration
        reading.requiresWriting = false
        do {
            let connection = try await PostgresConnection.connect(reading, logger: logger)
            let row = try await connection.query(
                """
                SELECT pg_is_in_recovery() AS is_standby, current_setting('default_transaction_read_only') = 'on' AS only_reads,
                    current_user::text AS role
                """
            ).first
            await connection.close()
            guard let row else { return nil }
            if try row.decode("is_standby") {
                return SyncControlError(.configuration, "This server is a standby: name the primary in DATABASE_URL.")
            }
            guard try row.decode("only_reads") else { return nil }
            let role: String = try row.decode("role")
            return SyncControlError(
                .configuration,
                "Sessions of role \(role.singleLine) only read here: default_transaction_read_only is on for the role, the database or "
                    + "the connection. Name another role in DATABASE_URL."
            )
        } catch {
            // The first error says what there is to say.
            return nil
        }
    }
}
