extension PostgresQuery {
    /// Makes its transaction one that has something to commit, so that its COMMIT waits until this and whatever was
    /// committed before is durable: on the standby too, where commits wait for one. A transaction that has changed
    /// nothing waits for nobody.
    ///
    /// Writes a few bytes to the write-ahead log that nobody reads.
    ///
    /// Source: PostgreSQL documentation, section "Replication Management Functions"; `RecordTransactionCommit` in
    /// `src/backend/access/transam/xact.c`.
    public static func awaitDurability() -> PostgresQuery {
        "SELECT pg_logical_emit_message(true, 'sync_service', '')::text AS position"
    }
}
