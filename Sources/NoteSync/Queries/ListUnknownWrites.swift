internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// The writes of the view `sync_unknown_writes`, those sent first at the head; `user` nil for all. Reads the whole
    /// table, which holds open writes only, `sync_queue_running` by the user, and the other tables by the note.
    ///
    /// What is next: the rule of a sync, on the row as it will be once somebody has found that nothing is on record.
    /// What the workers' settings say is known for certain only of a note that one of them has recorded as held since
    /// it was sent.
    ///
    /// `waits_until` follows `NoteListSync.isTrialDue`: the latest unknown outcome of the user's doubtful notes counts.
    static func unknownWrites(user: UserID?, areHeldByDefault: Bool, limit: Int, most: Int?) -> PostgresQuery {
        let trialInterval = UnknownWrites.trialInterval.seconds
        return """
            SELECT u.*, CASE
                    WHEN u.next = 'sent_again' AND u.was_trial AND u.resolution IS DISTINCT FROM 'retry'
                        AND u.latest > clock_timestamp() - make_interval(secs => \(trialInterval))
                        AND NOT EXISTS (SELECT FROM sync_peer_successes AS p
                                        WHERE p.peer = \(WriterHealth.peer) AND p.succeeded_at > u.unknown_at)
                    THEN least(u.latest, clock_timestamp()) + make_interval(secs => \(trialInterval))
                END AS waits_until
            FROM (
                SELECT n.*, max(n.unknown_at) FILTER (WHERE n.next = 'sent_again') OVER (PARTITION BY n.user_id) AS latest
                FROM (
                    SELECT i.user_id, i.keep_note_id, i.operation, i.notion_page_id, i.idempotency_key, i.notion_database_id,
                        e.sent_at || i.created_at AS sent_at, greatest(i.unknown_count, 1) AS count, i.unknown_count,
                        i.resolution, i.reason, i.job_id, i.unknown_at, i.was_trial,
                        CASE WHEN w.is_open THEN i.open_until END AS open_until,
                        NOT (w.is_open OR x.is_superseded OR w.resolution IS NOT NULL OR x.is_recorded) AS follows_settings,
                        CASE
                            WHEN w.is_open THEN 'under_way'
                            WHEN x.is_superseded THEN 'superseded'
                            WHEN w.resolution = 'retry' THEN 'sent_again'
                            WHEN w.resolution = 'hold' OR x.is_recorded THEN 'held'
                            WHEN \(areHeldByDefault) OR w.unknown_count >= \(limit) + (i.was_trial OR i.was_outage)::int THEN 'held'
                            ELSE 'sent_again'
                        END AS next
                    FROM sync_intents AS i
                    CROSS JOIN LATERAL (
                        SELECT coalesce(i.open_until > clock_timestamp(), false) AS is_open,
                            CASE WHEN i.unknown_at IS NULL THEN nullif(i.resolution, 'retry') ELSE i.resolution END AS resolution,
                            least(i.unknown_count, 2147483646) + (i.unknown_at IS NULL)::int AS unknown_count
                    ) AS w
                    CROSS JOIN LATERAL (
                        SELECT i.operation = 'create' AND EXISTS (
                                SELECT FROM sync_state AS s
                                WHERE s.user_id = i.user_id AND s.keep_note_id = i.keep_note_id
                                    AND s.notion_page_id IS DISTINCT FROM i.notion_page_id
                                    AND coalesce(s.notion_database_id, i.notion_database_id) IS NOT DISTINCT FROM
                                        coalesce(i.notion_database_id, s.notion_database_id)) AS is_superseded,
                            EXISTS (
                                SELECT FROM sync_failed_notes AS f
                                WHERE f.user_id = i.user_id AND f.keep_note_id = i.keep_note_id AND f.code = 'held'
                                    AND f.last_failed_at >= i.created_at) AS is_recorded
                    ) AS x
                    CROSS JOIN LATERAL (
                        SELECT coalesce(array_agg(u.sent_at ORDER BY u.sent_at), '{}') AS sent_at FROM sync_unheard_requests AS u
                        WHERE u.user_id = i.user_id AND u.keep_note_id = i.keep_note_id AND u.operation = i.operation
                            AND u.surplus_since IS NULL
                    ) AS e
                    WHERE (\(user?.rawValue)::text IS NULL OR i.user_id = \(user?.rawValue))
                        AND (i.user_id, i.keep_note_id) IN (SELECT user_id, keep_note_id FROM sync_unknown_writes)
                ) AS n
            ) AS u
            ORDER BY u.sent_at[1], u.user_id, u.keep_note_id
            LIMIT \(most)
            """
    }
}
