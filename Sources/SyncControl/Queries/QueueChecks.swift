import Postgres

extension PostgresQuery {
    /// Where record and queue differ, by `sync_queue_disagreements`, up to 1,001. It reads both tables whole: for a
    /// person, within a limit of time.
    ///
    /// Each row: `problem`, `jobs`, `job_id` of one.
    static func disagreements() -> PostgresQuery {
        """
        SELECT problem, count(*) AS jobs, min(job_id::text) AS job_id
        FROM (SELECT problem, job_id FROM sync_queue_disagreements() LIMIT 1001) AS found GROUP BY problem ORDER BY problem
        """
    }

    /// Leases that ended more than a minute ago and whose jobs nobody has taken over, up to 10,001. By
    /// `sync_queue_running`.
    ///
    /// One row: `jobs`, `since`.
    static func overdueLeases() -> PostgresQuery {
        .byIndex(
            """
            SELECT count(*) AS jobs, min(lease_expires_at) AS since
            FROM (SELECT lease_expires_at FROM sync_queue WHERE lease IS NOT NULL LIMIT 10001) AS held
            WHERE lease_expires_at < clock_timestamp() - interval '1 minute'
            """
        )
    }

    /// Queued jobs, the first thousand of the queue's table, whose users have no credentials: each fails as soon as it
    /// is claimed. By `sync_queue_claim`, then the primary key of `credentials`.
    ///
    /// A row, if there is one: `user_id` of one, `users`.
    static func queuedWithoutCredentials() -> PostgresQuery {
        .byIndex(
            """
            SELECT min(u.user_id) AS user_id, count(*) AS users
            FROM (
                SELECT DISTINCT q.user_id FROM (
                    SELECT user_id FROM sync_queue WHERE lease IS NULL AND NOT is_parked ORDER BY priority, run_at, job_id
                    LIMIT 1000) AS q
            ) AS u
            WHERE (SELECT true FROM credentials AS c WHERE c.user_id = u.user_id LIMIT 1) IS NULL
            HAVING count(*) > 0
            """
        )
    }

    /// The channels that workers have, with when each last delivered. Deliveries, which are pruned, are read by a scan.
    ///
    /// Each row: `channel`, `is_off`, `reason`, `off_since`, `delivered_at`, `failed_at`.
    static func alertChannels() -> PostgresQuery {
        """
        SELECT c.channel, c.disabled_at IS NOT NULL AS is_off, c.disabled_reason AS reason, c.disabled_at AS off_since,
            max(d.finished_at) FILTER (WHERE d.state = 'delivered') AS delivered_at,
            max(d.finished_at) FILTER (WHERE d.state = 'failed') AS failed_at
        FROM sync_alert_channels AS c LEFT JOIN sync_alert_deliveries AS d ON d.channel = c.channel
        GROUP BY c.channel ORDER BY c.channel
        """
    }
}
