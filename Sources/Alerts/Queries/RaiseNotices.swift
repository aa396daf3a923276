internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Makes a notice of each open alert that is to be told: one nobody was told of, or that has grown since, when the
    /// time for it has come and its key is not silenced. A scan of the open alerts, which are few.
    ///
    /// Each row: `event`, `key`, `count`.
    static func raiseNotices(groupWait: Duration, repeatWindow: Duration) -> PostgresQuery {
        """
        WITH due AS MATERIALIZED (
            SELECT id FROM sync_alerts AS a
            WHERE resolved_at IS NULL AND count > notified_count
                AND first_at <= clock_timestamp() - make_interval(secs => \(groupWait.seconds))
                AND (notified_at IS NULL
                     OR notified_at <= clock_timestamp() - make_interval(secs => \(repeatWindow.seconds)))
                AND NOT EXISTS (SELECT FROM sync_alert_silences AS s WHERE s.key = a.key AND s.until > clock_timestamp())
            ORDER BY id
            FOR NO KEY UPDATE OF a SKIP LOCKED
        ), told AS (
            UPDATE sync_alerts
            SET notified_count = count, notified_at = clock_timestamp()
            WHERE id = ANY (ARRAY(SELECT id FROM due))
            RETURNING id, key, count
        ), noticed AS (
            INSERT INTO sync_alert_notices (event, alert_id, count)
            SELECT CASE WHEN EXISTS (SELECT FROM sync_alert_notices AS n WHERE n.alert_id = told.id AND n.event = 'trigger')
                        THEN 'repeat' ELSE 'trigger' END,
                id, count
            FROM told
            RETURNING alert_id, event, count
        )
        SELECT n.event, t.key, n.count FROM noticed AS n JOIN told AS t ON t.id = n.alert_id
        """
    }

    /// Ends the alerts of counted kinds into which nothing was counted for a whole window; that a user's credentials
    /// were changed outside, once they are bound again and another job of the user has run without a word of it. What
    /// is still to be told is told first.
    ///
    /// Each row: `key`, and `is_told`, whether that makes a notice.
    static func resolveQuiet(kinds: [String], window: Duration) -> PostgresQuery {
        """
        WITH quiet AS MATERIALIZED (
            -- One that somebody else counts into at this moment is not quiet.
            SELECT id FROM sync_alerts AS a
            WHERE resolved_at IS NULL AND kind = ANY (\(kinds))
                AND (last_at < clock_timestamp() - make_interval(secs => \(window.seconds))
                     OR kind = 'credentials_changed_outside'
                     AND EXISTS (SELECT FROM credentials AS c
                                 WHERE c.user_id = a.user_id AND c.binding IS NOT NULL AND c.binding_cleared_at IS NULL)
                     AND EXISTS (SELECT FROM sync_jobs AS j
                                 WHERE j.user_id = a.user_id AND j.status = 'completed' AND j.job_id <> a.job_id
                                     AND j.started_at > a.last_at))
                -- That another attempt was counted before credentials were bound again is no news any more.
                AND (count = notified_count OR kind = 'credentials_changed_outside' AND notified_count > 0
                     OR EXISTS (SELECT FROM sync_alert_silences AS s
                                WHERE s.key = a.key AND s.until > clock_timestamp()))
            FOR NO KEY UPDATE OF a SKIP LOCKED
        ), over AS (
            UPDATE sync_alerts SET resolved_at = clock_timestamp()
            WHERE id = ANY (ARRAY(SELECT id FROM quiet))
            RETURNING id, key, count, notified_count
        ), noticed AS (
            INSERT INTO sync_alert_notices (event, alert_id, count)
            SELECT 'resolve', id, count FROM over WHERE notified_count > 0
        )
        SELECT key, notified_count > 0 AS is_told FROM over
        """
    }
}
