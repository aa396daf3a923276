import Postgres

extension PostgresQuery {
    /// Whether what is due is worked on: a worker is heard, or there is nothing to do, and the server takes writes as
    /// far as a role can tell that makes none. By the indexes `sync_queue_claim` and `sync_queue_running`, of which it
    /// reads an entry each.
    ///
    /// A server whose disk is full takes no heartbeats either. Read-only by the setting of a role says nothing of the
    /// server.
    ///
    /// - Parameter age: how old a worker's last heartbeat may be.
    static func isWorkDone(age: Duration) -> PostgresQuery {
        """
        SELECT (EXISTS (SELECT FROM sync_workers
                        WHERE last_seen_at >= now() - make_interval(secs => \(Double(age.components.seconds))))
                OR NOT EXISTS (SELECT FROM sync_queue WHERE lease IS NULL AND NOT is_parked AND run_at <= now())
                    AND NOT EXISTS (SELECT FROM sync_queue WHERE lease IS NOT NULL))
            AND NOT EXISTS (
                SELECT FROM pg_settings
                WHERE name = 'default_transaction_read_only' AND setting = 'on'
                    AND source IN ('configuration file', 'command line', 'database', 'global')
            ) AS is_done
        """
    }
}
