import Postgres

extension PostgresQuery {
    /// Whether what is due is worked on: a worker is heard that does not hold its claims, or there is nothing to do,
    /// and the server takes writes as far as a role can tell that makes none. What is paused is nothing to do, and what
    /// runs is worked on also by one that holds them. By the indexes `sync_queue_claim`,
    /// `sync_queue_forced` and `sync_queue_running`, of which it reads an entry each, or what is due of paused users.
    ///
    /// A server whose disk is full takes no heartbeats either. Read-only by the setting of a role says nothing of the
    /// server.
    ///
    /// - Parameter age: how old a worker's last heartbeat may be.
    static func isWorkDone(age: Duration) -> PostgresQuery {
        let heard = Int(age.components.seconds)
        let sql = """
            WITH pauses AS MATERIALIZED (\(PausedJobs.overview))
            SELECT (EXISTS (SELECT FROM sync_workers
                            WHERE last_seen_at >= now() - make_interval(secs => \(heard)) AND claims_held_since IS NULL
                                AND claims_failing_since IS NULL)
                    OR NOT EXISTS (
                        SELECT FROM (
                            SELECT user_id, is_forced FROM sync_queue
                            WHERE lease IS NULL AND NOT is_parked AND run_at <= now() AND (SELECT NOT is_all FROM pauses)
                            LIMIT \(QueueDepth.countLimit)) AS q
                        WHERE \(PausedJobs.passes))
                        AND NOT EXISTS (SELECT FROM \(PausedJobs.forced(columns: "job_id", limit: 1)) AS f)
                        AND (EXISTS (SELECT FROM sync_workers WHERE last_seen_at >= now() - make_interval(secs => \(heard)))
                            OR NOT EXISTS (SELECT FROM sync_queue WHERE lease IS NOT NULL)))
                AND NOT EXISTS (
                    SELECT FROM pg_settings
                    WHERE name = 'default_transaction_read_only' AND setting = 'on'
                        AND source IN ('configuration file', 'command line', 'database', 'global')
                ) AS is_done
            """
        return PostgresQuery(stringLiteral: sql)
    }
}
