internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Forgets what is over and old: alerts with their notices and deliveries, by `sync_alerts_resolved`; messages on
    /// held-back alerts, by `sync_alert_notices_created`; silences that have ended.
    static func pruneAlerts(retention: Duration) -> PostgresQuery {
        """
        WITH alerts AS (
            DELETE FROM sync_alerts
            WHERE resolved_at < now() - make_interval(secs => \(retention.seconds))
        ), notices AS (
            DELETE FROM sync_alert_notices
            WHERE event = 'held_back' AND created_at < now() - make_interval(secs => \(retention.seconds))
        )
        DELETE FROM sync_alert_silences WHERE until < now()
        """
    }

    /// Gives up deliveries that nobody has begun for a day: their channel is no longer among any worker's.
    ///
    /// Each row: `channel`.
    static func failStrandedDeliveries() -> PostgresQuery {
        """
        UPDATE sync_alert_deliveries
        SET state = 'failed', finished_at = now(),
            last_error = coalesce(last_error, 'No worker has had this channel for a day.')
        WHERE state = 'pending' AND attempt = 0 AND created_at < now() - interval '1 day'
            AND run_at < now() - interval '1 day'
        RETURNING channel
        """
    }
}
