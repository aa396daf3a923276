internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// How long no worker must have had a channel for it to count as absent.
    private static let absence = Duration.seconds(600)

    /// Makes the channel known. One that comes back with another address, or that no worker has had for a while, is
    /// known from now on; another address also switches it on again, if it was off because its address is gone.
    static func registerChannel(_ name: String, target: String) -> PostgresQuery {
        """
        INSERT INTO sync_alert_channels AS c (channel, target) VALUES (\(name), \(target))
        ON CONFLICT (channel) DO UPDATE
        SET target = excluded.target, known_since = now(), seen_at = now(),
            disabled_at = CASE WHEN c.target = excluded.target THEN c.disabled_at END,
            disabled_reason = CASE WHEN c.target = excluded.target THEN c.disabled_reason END
        WHERE c.target <> excluded.target OR c.seen_at < now() - make_interval(secs => \(absence.seconds))
        """
    }

    /// Makes deliveries to a channel of the notices that have none yet. By `sync_alert_notices_created`.
    ///
    /// Notices of the last ten minutes are looked at again even if another worker has made deliveries of them: while
    /// workers are replaced, the new ones may have a channel that the old ones had not. What nobody took for a day is
    /// left alone, for news from before alerts were switched on is no news.
    ///
    /// Nothing is made of an alert that is silenced, also for a channel that is new: it is told when the silence is
    /// over, if that is within the day. Nor is anything made of an alert that was over before the channel was known;
    /// one that was over before its notice was taken is told to every channel that was there.
    ///
    /// A resolution goes where the alert was told, to that very address, and to channels that can say it. It looks for
    /// what was told in an earlier statement, so the other notices must have been expanded before. One that was made
    /// while the message before it was on its way is given up if that has failed, or went to another address than the
    /// channel has now.
    ///
    /// One row: `made`.
    ///
    /// - Parameter target: the address of the channel, as a fingerprint.
    static func expandNotices(to channel: String, target: String, resolutions: Bool, tellsResolution: Bool)
        -> PostgresQuery
    {
        """
        WITH wanted AS MATERIALIZED (
            SELECT n.id, n.event, n.alert_id FROM sync_alert_notices AS n
            WHERE n.created_at > now() - interval '1 day' AND n.run_at <= now()
                AND (n.event = 'resolve') = \(resolutions)
                AND (n.channel IS NULL OR n.channel = \(channel))
                AND (n.expanded_at IS NULL OR n.expanded_at > now() - interval '10 minutes')
                AND NOT EXISTS (SELECT FROM sync_alert_deliveries AS d WHERE d.notice_id = n.id AND d.channel = \(channel))
                AND NOT (n.event IN ('trigger', 'repeat') AND EXISTS (
                    SELECT FROM sync_alerts AS a JOIN sync_alert_silences AS s ON s.key = a.key
                    WHERE a.id = n.alert_id AND s.until > now()))
                AND NOT (n.event IN ('trigger', 'repeat') AND EXISTS (
                    SELECT FROM sync_alerts AS a JOIN sync_alert_channels AS c ON c.channel = \(channel)
                    WHERE a.id = n.alert_id AND a.resolved_at < c.known_since))
        ), made AS (
            INSERT INTO sync_alert_deliveries (notice_id, channel)
            SELECT w.id, \(channel) FROM wanted AS w
            WHERE w.event <> 'resolve'
                OR (\(tellsResolution) AND EXISTS (
                    SELECT FROM sync_alert_notices AS t
                    JOIN sync_alert_deliveries AS d ON d.notice_id = t.id AND d.channel = \(channel)
                    WHERE t.alert_id = w.alert_id AND t.event <> 'resolve'
                        AND (d.state = 'pending' OR d.state = 'delivered' AND d.target = \(target))))
            ON CONFLICT DO NOTHING
            RETURNING notice_id
        ), marked AS (
            UPDATE sync_alert_notices SET expanded_at = now()
            WHERE expanded_at IS NULL AND id = ANY (ARRAY(SELECT id FROM wanted))
        ), given_up AS (
            UPDATE sync_alert_deliveries AS d
            SET state = 'silenced', finished_at = now(), last_error = 'This address was not told that it began.'
            FROM sync_alert_notices AS n, sync_alert_channels AS c
            WHERE \(resolutions) AND d.channel = \(channel) AND d.state = 'pending'
                AND (d.lease_expires_at IS NULL OR d.lease_expires_at <= clock_timestamp())
                AND n.id = d.notice_id AND n.event = 'resolve' AND c.channel = d.channel AND c.target = \(target)
                AND NOT EXISTS (
                    SELECT FROM sync_alert_notices AS t
                    JOIN sync_alert_deliveries AS x ON x.notice_id = t.id AND x.channel = d.channel
                    WHERE t.alert_id = n.alert_id AND t.event <> 'resolve'
                        AND (x.state = 'pending' OR x.state = 'delivered' AND x.target = \(target)))
        ), seen AS (
            UPDATE sync_alert_channels SET seen_at = now()
            WHERE NOT \(resolutions) AND channel = \(channel) AND target = \(target)
                AND seen_at < now() - make_interval(secs => \(absence.seconds / 10))
        )
        SELECT count(*) AS made FROM made
        """
    }

    /// Takes the next due delivery of a channel, critical ones first, unless the channel is off or has had its messages
    /// of this minute; a delivery that has been begun before and a word on what was held back may go all the same.
    /// Critical messages are counted apart: the others leave them their room.
    ///
    /// Deliveries by `sync_alert_deliveries_pending`. The lock of the channel's row keeps the count right among
    /// workers. Of one alert an earlier message goes first, so that a resolution never overtakes what it resolves; it
    /// goes only to an address that one of them has arrived at, which the delivery says.
    ///
    /// One row or none: the message, `attempt`, `lease`.
    ///
    /// - Parameters:
    ///   - target: the address that it will be sent to, as a fingerprint.
    ///   - number: of the lease that is taken.
    ///   - lease: how long it lasts.
    static func claimDelivery(
        of channel: String,
        target: String,
        limit: Int,
        worker: String,
        number: Int64,
        lease: Duration
    ) -> PostgresQuery {
        """
        WITH channel AS MATERIALIZED (
            SELECT window_started_at <= clock_timestamp() - interval '1 minute' AS is_new_window,
                CASE WHEN window_started_at <= clock_timestamp() - interval '1 minute' THEN 0 ELSE sent END AS sent,
                CASE WHEN window_started_at <= clock_timestamp() - interval '1 minute' THEN 0 ELSE sent_critical END
                    AS sent_critical
            FROM sync_alert_channels
            WHERE channel = \(channel) AND disabled_at IS NULL
            FOR NO KEY UPDATE
        ), next AS MATERIALIZED (
            SELECT d.notice_id, d.attempt, c.sent, c.sent_critical, c.is_new_window, n.event, n.alert_id, n.count, n.kinds,
                n.created_at, a.is_critical
            FROM channel AS c
            CROSS JOIN sync_alert_deliveries AS d
            JOIN sync_alert_notices AS n ON n.id = d.notice_id
            CROSS JOIN LATERAL (
                SELECT coalesce((SELECT s.kind = ANY (\(AlertKind.critical)) FROM sync_alerts AS s WHERE s.id = n.alert_id), false)
                    AS is_critical
            ) AS a
            WHERE d.channel = \(channel) AND d.state = 'pending' AND d.run_at <= clock_timestamp()
                AND (d.lease_expires_at IS NULL OR d.lease_expires_at <= clock_timestamp())
                AND (d.attempt > 0 OR n.event = 'held_back'
                    OR CASE WHEN a.is_critical THEN c.sent_critical ELSE c.sent END < \(limit))
                AND NOT EXISTS (
                    SELECT FROM sync_alert_notices AS e
                    JOIN sync_alert_deliveries AS x ON x.notice_id = e.id AND x.channel = \(channel)
                    WHERE e.alert_id = n.alert_id AND e.created_at < n.created_at AND x.state = 'pending')
                AND (n.event <> 'resolve' OR EXISTS (
                    SELECT FROM sync_alert_notices AS t
                    JOIN sync_alert_deliveries AS x ON x.notice_id = t.id AND x.channel = \(channel)
                    WHERE t.alert_id = n.alert_id AND t.event <> 'resolve' AND x.state = 'delivered' AND x.target = \(target)))
            ORDER BY a.is_critical DESC, d.run_at, n.created_at
            LIMIT 1
            FOR NO KEY UPDATE OF d SKIP LOCKED
        ), counted AS (
            UPDATE sync_alert_channels
            SET sent = next.sent + CASE WHEN next.is_critical THEN 0 ELSE 1 END,
                sent_critical = next.sent_critical + CASE WHEN next.is_critical THEN 1 ELSE 0 END,
                window_started_at = CASE WHEN next.is_new_window THEN clock_timestamp() ELSE window_started_at END
            FROM next
            WHERE channel = \(channel) AND next.attempt = 0
        ), claimed AS (
            UPDATE sync_alert_deliveries AS d
            SET attempt = d.attempt + 1, lease = \(number), worker = \(worker), target = \(target),
                lease_expires_at = clock_timestamp() + make_interval(secs => \(lease.seconds))
            FROM next
            WHERE d.notice_id = next.notice_id AND d.channel = \(channel)
            RETURNING d.notice_id, d.attempt, d.lease
        )
        SELECT c.notice_id, c.attempt, c.lease, next.event, next.created_at,
            CASE WHEN next.event IN ('trigger', 'repeat') THEN a.count ELSE next.count END AS count,
            next.kinds, a.kind, a.key, a.job_id, a.user_id, a.users, a.error, a.first_at, a.last_at
        FROM claimed AS c
        JOIN next ON next.notice_id = c.notice_id
        LEFT JOIN sync_alerts AS a ON a.id = next.alert_id
        """
    }

    /// Holds back what a channel has had too much of in this minute, critical messages and others each by their own
    /// count, and adds it to the one message that says how many of which kinds, which is due when the minute is over.
    /// Resolutions are not held back; they wait.
    ///
    /// One row: `held`.
    static func holdBackExcess(of channel: String, limit: Int) -> PostgresQuery {
        """
        WITH full_channel AS MATERIALIZED (
            SELECT window_started_at, sent >= \(limit) AS is_full, sent_critical >= \(limit) AS is_full_of_critical
            FROM sync_alert_channels
            WHERE channel = \(channel) AND disabled_at IS NULL AND greatest(sent, sent_critical) >= \(limit)
                AND window_started_at > clock_timestamp() - interval '1 minute'
            FOR NO KEY UPDATE
        ), excess AS MATERIALIZED (
            SELECT d.notice_id, a.kind
            FROM full_channel AS c
            CROSS JOIN sync_alert_deliveries AS d
            JOIN sync_alert_notices AS n ON n.id = d.notice_id
            JOIN sync_alerts AS a ON a.id = n.alert_id
            WHERE d.channel = \(channel) AND d.state = 'pending' AND d.attempt = 0 AND d.run_at <= clock_timestamp()
                AND n.event IN ('trigger', 'repeat')
                AND CASE WHEN a.kind = ANY (\(AlertKind.critical)) THEN c.is_full_of_critical ELSE c.is_full END
            FOR NO KEY UPDATE OF d SKIP LOCKED
        ), held AS (
            UPDATE sync_alert_deliveries SET state = 'held_back', finished_at = clock_timestamp()
            WHERE channel = \(channel) AND notice_id = ANY (ARRAY(SELECT notice_id FROM excess))
            RETURNING notice_id
        ), noticed AS (
            INSERT INTO sync_alert_notices AS n (event, channel, count, kinds, run_at)
            SELECT 'held_back', \(channel), count(*),
                ARRAY(SELECT DISTINCT e.kind FROM excess AS e ORDER BY e.kind),
                (SELECT window_started_at + interval '1 minute' FROM full_channel)
            FROM held
            HAVING count(*) > 0
            ON CONFLICT (channel) WHERE event = 'held_back' AND expanded_at IS NULL
            DO UPDATE SET count = n.count + excluded.count,
                kinds = ARRAY(SELECT DISTINCT k.kind FROM unnest(n.kinds || excluded.kinds) AS k (kind) ORDER BY k.kind)
        )
        SELECT count(*) AS held FROM held
        """
    }
}
