internal import Postgres

extension PostgresQuery {
    /// All workers, by name. Silence is measured by the database's clock: it is that of a worker which has not kept its
    /// word as to its next heartbeat, or of one that has given none and was last heard of a minute ago. A scan of a
    /// table with a row per worker.
    static func workers() -> PostgresQuery {
        """
        SELECT instance, left(worker, 255) AS worker, left(version, 255) AS version, slots, running, started_at, last_seen_at, listening,
            claims_held_since, claims_failing_since,
            CASE WHEN isfinite(last_seen_at) THEN greatest(extract(epoch FROM now() - last_seen_at), 0)::float8
                 ELSE 0 END AS silence,
            coalesce(present_until < clock_timestamp(),
                isfinite(last_seen_at) AND last_seen_at < now() - interval '1 minute') AS is_silent
        FROM sync_workers
        ORDER BY worker, started_at, instance
        """
    }

    static func databaseTime() -> PostgresQuery {
        "SELECT clock_timestamp() AS now"
    }
}
