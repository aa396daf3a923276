internal import Foundation
internal import JobQueue
internal import Postgres

/// What becomes of requests whose outcome is certain, or no longer matters. All by primary keys.
extension PostgresQuery {
    /// Takes away requests that have been carried out. Where there were earlier ones, of unknown outcome, what becomes
    /// of them is said in the function's comment in 0004_note_sync.sql.
    static func settleIntents(_ requests: [RequestReference], user: UserID) -> PostgresQuery {
        .byIndexGivingWay(
            """
            WITH removed AS (
                DELETE FROM sync_intents
                WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(requests.map(\.noteID)))
                    AND request = ANY (\(requests.map(\.request.rawValue)))
                RETURNING keep_note_id, operation, unknown_count
            )
            SELECT sync_settle_earlier_requests(\(user.rawValue), earlier.created, earlier.updated)
            FROM (
                SELECT count(*) AS total,
                    array_agg(keep_note_id::text) FILTER (WHERE operation = 'create') AS created,
                    array_agg(keep_note_id::text) FILTER (WHERE operation = 'update') AS updated
                FROM removed WHERE unknown_count > 0
            ) AS earlier
            WHERE earlier.total > 0
            """
        )
    }

    /// Has other runs wait for the outcome of requests, which their sender knows and can't record yet. By primary key.
    static func keepOpen(_ requests: [RequestReference], user: UserID, for time: Duration) -> PostgresQuery {
        .byIndexGivingWay(
            """
            UPDATE sync_intents
            SET open_until = greatest(open_until, clock_timestamp() + make_interval(secs => \(time.seconds)))
            WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(requests.map(\.noteID)))
                AND request = ANY (\(requests.map(\.request.rawValue))) AND unknown_at IS NULL
            """
        )
    }

    /// Takes away requests that have certainly not been carried out. What is certain of one says nothing of an earlier
    /// one: a write with an unknown outcome stays unknown, and a create keeps its key. The row is that one's again, so
    /// that its answer is known if it still comes, and so that this statement does nothing when it is run once more
    /// because its answer was lost.
    static func withdrawIntents(_ requests: [RequestReference], user: UserID) -> PostgresQuery {
        let notes = requests.map(\.noteID)
        let numbers = requests.map(\.request.rawValue)
        return .byIndexGivingWay(
            """
            WITH withdrawn AS (
                DELETE FROM sync_intents AS i
                USING unnest(\(notes), \(numbers)) AS w (note_id, request)
                WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = w.note_id AND i.request = w.request
                    AND i.unknown_count - (i.unknown_at IS NOT NULL)::int <= 0
            ), earlier AS (
                DELETE FROM sync_unheard_requests AS u
                USING unnest(\(notes), \(numbers)) AS w (note_id, request)
                CROSS JOIN LATERAL (
                    SELECT i.operation FROM sync_intents AS i
                    WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = w.note_id AND i.request = w.request
                        AND i.unknown_count - (i.unknown_at IS NOT NULL)::int > 0 LIMIT 1
                ) AS latest
                CROSS JOIN LATERAL (
                    SELECT e.request FROM sync_unheard_requests AS e
                    WHERE e.user_id = \(user.rawValue) AND e.keep_note_id = w.note_id AND e.operation = latest.operation
                        AND e.surplus_since IS NULL
                    ORDER BY e.sent_at DESC LIMIT 1
                ) AS before
                WHERE u.user_id = \(user.rawValue) AND u.keep_note_id = w.note_id AND u.request = before.request
                RETURNING u.*
            )
            UPDATE sync_intents AS i
            SET open_until = NULL, unknown_at = coalesce(i.unknown_at, clock_timestamp()),
                unknown_count = i.unknown_count - (i.unknown_at IS NOT NULL)::int,
                was_trial = i.was_trial AND i.unknown_count - (i.unknown_at IS NOT NULL)::int > 1,
                was_outage = i.was_outage AND i.unknown_count - (i.unknown_at IS NOT NULL)::int > 1,
                request = coalesce(e.request, 0), created_at = coalesce(e.sent_at, i.created_at),
                notion_page_id = CASE WHEN e.request IS NULL THEN i.notion_page_id ELSE e.notion_page_id END,
                idempotency_key = coalesce(e.idempotency_key, i.idempotency_key),
                content_hash = coalesce(e.content_hash, i.content_hash),
                keep_modified_at = coalesce(e.keep_modified_at, i.keep_modified_at),
                notion_database_id = coalesce(e.notion_database_id, i.notion_database_id), job_id = coalesce(e.job_id, i.job_id)
            FROM unnest(\(notes), \(numbers)) AS w (note_id, request)
            LEFT JOIN earlier AS e ON e.keep_note_id = w.note_id
            WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = w.note_id AND i.request = w.request
                AND i.unknown_count - (i.unknown_at IS NOT NULL)::int > 0
            """
        )
    }

    /// Says in a job's log that answers have come of which it says that they are missing. By primary keys.
    static func tellLateAnswers(_ requests: [RequestReference], user: UserID, job: JobID) -> PostgresQuery {
        let notes = requests.map(\.noteID)
        let numbers = requests.map(\.request.rawValue)
        return .byIndexGivingWay(
            """
            SELECT sync_try_log(\(job.rawValue), keep_note_id, 'INFO', 'The answer to the ' || operation
                || ' whose outcome was unknown has come since: what became of it is on record.')
            FROM (
                SELECT keep_note_id, operation FROM sync_intents
                WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes)) AND request = ANY (\(numbers))
                    AND unknown_at IS NOT NULL
                UNION ALL
                SELECT keep_note_id, operation FROM sync_unheard_requests
                WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes)) AND request = ANY (\(numbers))
            ) AS unknown
            """
        )
    }

    /// Takes away requests whose outcome has become certain after they had lost their row; the row of a later one
    /// counts one unknown outcome less. A statement of its own: whoever has taken the row has done so while the one
    /// before waited for it.
    static func forgetUnheardRequests(_ requests: [RequestReference], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            WITH heard AS (
                DELETE FROM sync_unheard_requests AS u
                USING unnest(\(requests.map(\.noteID)), \(requests.map(\.request.rawValue))) AS h (note_id, request)
                WHERE u.user_id = \(user.rawValue) AND u.keep_note_id = h.note_id AND u.request = h.request
                RETURNING u.keep_note_id, u.operation, u.surplus_since
            )
            UPDATE sync_intents AS i SET unknown_count = greatest(i.unknown_count - h.requests, 0)
            FROM (
                SELECT keep_note_id, operation, count(*)::int AS requests FROM heard
                WHERE surplus_since IS NULL GROUP BY keep_note_id, operation
            ) AS h
            WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = h.keep_note_id AND i.operation = h.operation
            """
        )
    }

    /// Takes away writes whose outcome is unknown and no longer matters: creates whose note has got another page
    /// meanwhile (what each of their requests may have made is beside it), and updates of a page that the replaced
    /// service has written since.
    static func supersedeIntents(_ requests: [RequestReference], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            WITH superseded AS (
                DELETE FROM sync_intents AS i
                USING unnest(\(requests.map(\.noteID)), \(requests.map(\.request.rawValue))) AS s (note_id, request)
                WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = s.note_id AND i.request = s.request
                    AND i.unknown_at IS NOT NULL
                RETURNING i.*
            ), earlier AS (
                UPDATE sync_unheard_requests AS u SET surplus_since = clock_timestamp()
                FROM superseded AS s
                WHERE u.user_id = \(user.rawValue) AND u.keep_note_id = s.keep_note_id AND u.operation = 'create'
                    AND u.surplus_since IS NULL
            ), overwritten AS (
                DELETE FROM sync_unheard_requests AS u USING superseded AS s
                WHERE u.user_id = \(user.rawValue) AND u.keep_note_id = s.keep_note_id AND u.operation = 'update'
            )
            INSERT INTO sync_unheard_requests (user_id, keep_note_id, request, operation, notion_page_id, idempotency_key,
                content_hash, keep_modified_at, job_id, notion_database_id, sent_at, surplus_since)
            SELECT user_id, keep_note_id, request, operation, notion_page_id, idempotency_key, content_hash, keep_modified_at,
                job_id, notion_database_id, created_at, clock_timestamp()
            FROM superseded WHERE operation = 'create'
            ON CONFLICT DO NOTHING
            """
        )
    }
}
