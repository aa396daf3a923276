internal import Postgres

extension PostgresQuery {
    /// All workers, by name. Silence is measured by the database's clock. A scan of a table with a row per worker.
    static func workers() -> PostgresQuery {
        """
        SELECT instance, left(worker, 255) AS worker, left(version, 255) AS version, slots, running, started_at, last_seen_at, listening,
            claims_held_since,
            CASE WHEN isfinite(last_seen_at) THEN greatest(extract(epoch FROM now() - last_seen_at), 0)::float8
                 ELSE 0 END AS silence
        FROM sync_workers
        ORDER BY worker, started_at, instance
        """
    }

    static func databaseTime() -> PostgresQuery {
        "SELECT clock_timestamp() AS now"
    }
}
