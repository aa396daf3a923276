internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Open alerts, the newest first, by a scan of the few there are; with `includesResolved` those that are over too.
    /// Their deliveries by `sync_alert_notices_of_alert` and primary key.
    ///
    /// Deliveries of a notice are made within seconds where there is a channel.
    static func alerts(includesResolved: Bool, limit: Int) -> PostgresQuery {
        """
        SELECT a.key, a.kind, a.count, a.job_id, a.user_id, a.users, a.error, a.first_at, a.last_at, a.notified_at,
            a.resolved_at, s.until AS silenced_until, d.delivered_at,
            CASE
                WHEN d.delivered_at IS NOT NULL THEN 'told'
                WHEN d.has_pending THEN 'waiting'
                WHEN d.has_failed THEN 'failed'
                WHEN c.exist AND coalesce(a.notified_at > now() - interval '1 minute', true) THEN 'waiting'
                ELSE 'nobody'
            END AS telling
        FROM sync_alerts AS a
        CROSS JOIN (
            SELECT EXISTS (SELECT FROM sync_alert_channels WHERE disabled_at IS NULL) AS exist
        ) AS c
        CROSS JOIN LATERAL (
            SELECT max(d.finished_at) FILTER (WHERE d.state = 'delivered') AS delivered_at,
                coalesce(bool_or(d.state = 'pending'), false) AS has_pending,
                coalesce(bool_or(d.state IN ('failed', 'held_back')), false) AS has_failed
            FROM sync_alert_notices AS n JOIN sync_alert_deliveries AS d ON d.notice_id = n.id
            WHERE n.alert_id = a.id
        ) AS d
        LEFT JOIN sync_alert_silences AS s ON s.key = a.key AND s.until > now()
        WHERE a.resolved_at IS NULL OR \(includesResolved)
        ORDER BY a.resolved_at IS NULL DESC, a.last_at DESC, a.id DESC
        LIMIT \(limit)
        """
    }

    /// Deliveries that failed for good in the last week, the latest first, by `sync_alert_deliveries_failed`.
    static func failedDeliveries(limit: Int) -> PostgresQuery {
        """
        SELECT d.channel, n.event, a.key, d.attempt, d.finished_at, d.last_error
        FROM sync_alert_deliveries AS d
        JOIN sync_alert_notices AS n ON n.id = d.notice_id
        LEFT JOIN sync_alerts AS a ON a.id = n.alert_id
        WHERE d.state = 'failed' AND d.finished_at > now() - interval '7 days'
        ORDER BY d.finished_at DESC
        LIMIT \(limit)
        """
    }

    /// Channels that are off because their address is gone.
    static func disabledChannels() -> PostgresQuery {
        """
        SELECT channel, disabled_at, coalesce(disabled_reason, '') AS reason FROM sync_alert_channels
        WHERE disabled_at IS NOT NULL ORDER BY channel
        """
    }

    /// One row: `exist`, whether there is a channel that is on.
    static func hasChannel() -> PostgresQuery {
        "SELECT EXISTS (SELECT FROM sync_alert_channels WHERE disabled_at IS NULL) AS exist"
    }

    /// Silences a key that is known, or `canArise`, and what is still on its way. By `sync_alerts_key`.
    ///
    /// One row if the key is known: `until`.
    static func silence(_ key: String, for duration: Duration, canArise: Bool) -> PostgresQuery {
        """
        WITH known AS (
            SELECT 1 WHERE \(canArise) OR EXISTS (SELECT FROM sync_alerts WHERE key = \(key))
        ), silenced AS (
            INSERT INTO sync_alert_silences AS s (key, until)
            SELECT \(key), now() + make_interval(secs => \(duration.seconds)) FROM known
            ON CONFLICT (key) DO UPDATE SET until = excluded.until, created_at = now()
            RETURNING until
        ), dropped AS (
            UPDATE sync_alert_deliveries AS d
            SET state = 'silenced', finished_at = now()
            FROM sync_alert_notices AS n JOIN sync_alerts AS a ON a.id = n.alert_id
            WHERE a.key = \(key) AND n.event IN ('trigger', 'repeat') AND d.notice_id = n.id AND d.state = 'pending'
                AND EXISTS (SELECT FROM silenced)
        )
        SELECT until FROM silenced
        """
    }
}
