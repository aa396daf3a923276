internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// How many writes are under way or their worker has died a moment ago: `count`. Reads the whole table, which holds
    /// open writes only.
    static func countWritesUnderWay(user: UserID?) -> PostgresQuery {
        """
        SELECT count(*) AS count FROM sync_intents
        WHERE (\(user?.rawValue)::text IS NULL OR user_id = \(user?.rawValue)) AND open_until > clock_timestamp()
        """
    }

    /// Until when a write is under way; no row if it is not. By primary key.
    static func writeUnderWay(user: UserID, note: String) -> PostgresQuery {
        """
        SELECT open_until FROM sync_intents
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) AND open_until > clock_timestamp()
        """
    }

    /// Pages beside the ones their notes have, and creates of unknown outcome that may have made one, the oldest first;
    /// `user` nil for all. Also those of a write that somebody has deleted by hand. The notes' own pages by
    /// `sync_state_user_id_keep_note_id_key`.
    static func surplusPages(user: UserID?) -> PostgresQuery {
        """
        SELECT p.user_id, p.keep_note_id, p.notion_page_id, p.notion_database_id, p.idempotency_key, p.job_id, p.found_at,
            p.sent_at, p.settled_page, s.notion_page_id AS note_page
        FROM (
            SELECT user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id, found_at,
                NULL::timestamptz AS sent_at, NULL::text AS settled_page
            FROM sync_surplus_pages
            UNION ALL
            SELECT user_id, keep_note_id, \(SurplusPage.unknown), coalesce(notion_database_id, ''), idempotency_key, job_id,
                coalesce(surplus_since, sent_at), sent_at, CASE WHEN request < 0 THEN notion_page_id END
            FROM sync_unheard_requests AS u WHERE operation = 'create' AND (surplus_since IS NOT NULL OR NOT EXISTS (
                SELECT FROM sync_intents AS i WHERE i.user_id = u.user_id AND i.keep_note_id = u.keep_note_id))
        ) AS p
        LEFT JOIN sync_state AS s ON s.user_id = p.user_id AND s.keep_note_id = p.keep_note_id
        WHERE \(user?.rawValue)::text IS NULL OR p.user_id = \(user?.rawValue)
        ORDER BY p.found_at, p.sent_at, p.user_id, p.keep_note_id
        """
    }

    /// Forgets a surplus page that somebody has seen to. By primary key.
    static func forgetSurplusPage(user: UserID, note: String, page: String) -> PostgresQuery {
        """
        DELETE FROM sync_surplus_pages
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) AND notion_page_id = \(page)
        """
    }

    /// Forgets the creates of unknown outcome that may have made pages beside a note's own. By primary key.
    static func forgetUnheardRequests(user: UserID, note: String) -> PostgresQuery {
        """
        DELETE FROM sync_unheard_requests AS u
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) AND (surplus_since IS NOT NULL OR NOT EXISTS (
            SELECT FROM sync_intents AS i WHERE i.user_id = u.user_id AND i.keep_note_id = u.keep_note_id))
        """
    }

    /// Lets the next sync send a write again. By primary key. A write that is under way is left alone, here and below,
    /// also one that is unknown because its job was taken away: its worker hears it out. One that nobody has found to
    /// be unknown yet is counted here, so that no later refusal takes it for what was refused.
    ///
    /// A row if there is such a write: `pages`, how many its requests may have made.
    static func retryUnknownWrite(user: UserID, note: String) -> PostgresQuery {
        """
        UPDATE sync_intents
        SET resolution = 'retry', unknown_at = coalesce(unknown_at, clock_timestamp()),
            unknown_count = least(unknown_count, 2147483646) + (unknown_at IS NULL)::int
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note)
            AND coalesce(open_until <= clock_timestamp(), true)
        RETURNING CASE WHEN operation = 'create' THEN greatest(unknown_count, 1 + (
            SELECT count(*) FROM sync_unheard_requests AS u
            WHERE u.user_id = sync_intents.user_id AND u.keep_note_id = sync_intents.keep_note_id AND u.operation = 'create'))
            ELSE 0 END AS pages
        """
    }

    /// Records that an unknown write has happened: its page shows what was being written. By primary key, and by a scan
    /// of all pages, as a page is one note's alone. A note that has been changed since stays on the list of failed
    /// ones, which is what has it asked for again. A page that was on record as surplus is so no longer; one that the
    /// note has got meanwhile, and that this write was not to replace, is from now on.
    ///
    /// Of several creates nobody knows which made this page. So all of them stay on record, the latest among them, each
    /// with the page's name, and no answer takes one off any more. One that was sent to another database has not made
    /// it. A page that was on record for the note already is that of a request whose answer came: then all others may
    /// have made further ones.
    ///
    /// Where the requests were to write different texts, nobody knows which of them the page shows. It is recorded
    /// without a hash, at the time of the oldest, and the note is asked for again: an edit is written twice rather than
    /// never.
    ///
    /// - Parameter page: of a create; an update knows its page. Nothing is recorded if it is another note's.
    ///
    /// A row if it is recorded: `further`, creates of the note that may have made further pages.
    static func settleUnknownWrite(user: UserID, note: String, page: String?) -> PostgresQuery {
        """
        WITH other AS MATERIALIZED (
            SELECT FROM (
                SELECT user_id, keep_note_id, notion_page_id FROM sync_state
                UNION ALL SELECT user_id, keep_note_id, notion_page_id FROM sync_surplus_pages
            ) AS p
            WHERE lower(replace(p.notion_page_id, '-', '')) = lower(replace(\(page)::text, '-', ''))
                AND (p.user_id, p.keep_note_id) IS DISTINCT FROM (\(user.rawValue)::text, \(note)::text)
        ), deleted AS (
            DELETE FROM sync_intents
            WHERE user_id = \(user.rawValue) AND keep_note_id = \(note)
                AND coalesce(open_until <= clock_timestamp(), true)
                AND (operation = 'create') = (\(page)::text IS NOT NULL)
                AND NOT EXISTS (SELECT FROM other)
            RETURNING *
        ), settled AS MATERIALIZED (
            SELECT d.user_id, d.keep_note_id, coalesce(\(page), d.notion_page_id) AS page_id, d.keep_modified_at, d.content_hash,
                d.operation, d.notion_database_id, d.notion_page_id AS replaced, d.idempotency_key, d.job_id, d.request,
                d.created_at, e.requests, e.alike, e.oldest,
                \(page)::text IS NOT NULL AND EXISTS (
                    SELECT FROM (
                        SELECT user_id, keep_note_id, notion_page_id FROM sync_state
                        UNION ALL SELECT user_id, keep_note_id, notion_page_id FROM sync_surplus_pages
                    ) AS p
                    WHERE p.user_id = d.user_id AND p.keep_note_id = d.keep_note_id
                        AND lower(replace(p.notion_page_id, '-', '')) = lower(replace(\(page)::text, '-', ''))) AS is_known
            FROM deleted AS d
            CROSS JOIN LATERAL (
                SELECT count(*) AS requests, count(*) FILTER (WHERE x.is_alike) AS alike,
                    min(u.keep_modified_at) FILTER (WHERE u.content_hash <> d.content_hash AND x.is_alike) AS oldest
                FROM sync_unheard_requests AS u
                CROSS JOIN LATERAL (
                    SELECT u.notion_database_id IS NOT DISTINCT FROM d.notion_database_id AS is_alike
                ) AS x
                WHERE u.user_id = d.user_id AND u.keep_note_id = d.keep_note_id AND u.operation = d.operation
            ) AS e
        ), others AS (
            UPDATE sync_unheard_requests AS u
            SET surplus_since = coalesce(u.surplus_since, now()),
                request = CASE WHEN s.is_known OR u.request < 0 OR u.notion_database_id IS DISTINCT FROM s.notion_database_id
                    THEN u.request ELSE -u.request END,
                notion_page_id = CASE WHEN s.is_known OR u.notion_database_id IS DISTINCT FROM s.notion_database_id
                    THEN u.notion_page_id ELSE s.page_id END
            FROM settled AS s
            WHERE u.user_id = s.user_id AND u.keep_note_id = s.keep_note_id AND s.operation = 'create'
                AND u.operation = 'create'
        ), latest AS (
            INSERT INTO sync_unheard_requests (user_id, keep_note_id, request, operation, notion_page_id, idempotency_key,
                content_hash, keep_modified_at, job_id, notion_database_id, sent_at, surplus_since)
            SELECT user_id, keep_note_id, CASE WHEN is_known THEN request ELSE -greatest(request, 1) END, operation,
                CASE WHEN is_known THEN replaced ELSE page_id END, idempotency_key, content_hash, keep_modified_at, job_id,
                notion_database_id, created_at, now()
            FROM settled WHERE operation = 'create' AND (is_known OR alike > 0)
            ON CONFLICT DO NOTHING
        ), overwritten AS (
            DELETE FROM sync_unheard_requests AS u
            USING settled AS s
            WHERE u.user_id = s.user_id AND u.keep_note_id = s.keep_note_id AND u.operation = 'update'
        ), surplus AS (
            INSERT INTO sync_surplus_pages (user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id)
            SELECT s.user_id, s.keep_note_id, p.notion_page_id, coalesce(p.notion_database_id, s.notion_database_id, ''),
                s.idempotency_key, s.job_id
            FROM settled AS s
            JOIN sync_state AS p ON p.user_id = s.user_id AND p.keep_note_id = s.keep_note_id
            WHERE s.operation = 'create' AND p.notion_page_id IS DISTINCT FROM s.replaced
                AND lower(replace(p.notion_page_id, '-', '')) <> lower(replace(s.page_id, '-', ''))
            ON CONFLICT DO NOTHING
        ), found AS (
            DELETE FROM sync_surplus_pages AS p
            USING settled AS s
            WHERE p.user_id = s.user_id AND p.keep_note_id = s.keep_note_id
                AND lower(replace(p.notion_page_id, '-', '')) = lower(replace(s.page_id, '-', ''))
        ), recorded AS (
            INSERT INTO sync_state AS s (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at, content_hash,
                hash_modified_at, notion_database_id)
            SELECT user_id, keep_note_id, page_id, timezone('utc', least(keep_modified_at, oldest)),
                timezone('utc', clock_timestamp()), CASE WHEN oldest IS NULL THEN content_hash END,
                timezone('utc', least(keep_modified_at, oldest)), notion_database_id
            FROM settled
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET notion_page_id = excluded.notion_page_id, keep_modified_at = excluded.keep_modified_at,
                last_synced_at = excluded.last_synced_at, content_hash = excluded.content_hash,
                hash_modified_at = excluded.hash_modified_at, notion_database_id = excluded.notion_database_id
        ), cleared AS (
            DELETE FROM sync_failed_notes AS f
            USING settled AS s
            WHERE f.user_id = s.user_id AND f.keep_note_id = s.keep_note_id AND s.oldest IS NULL
                AND coalesce(f.keep_modified_at <= s.keep_modified_at, true)
        ), asked AS (
            INSERT INTO sync_failed_notes AS f (user_id, keep_note_id, keep_modified_at, code, error, job_id)
            SELECT user_id, keep_note_id, keep_modified_at, 'superseded',
                'Requests with different texts were sent, and any may be what the page shows; the note comes with the next sync.',
                job_id
            FROM settled WHERE oldest IS NOT NULL
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET code = excluded.code, error = excluded.error, job_id = excluded.job_id, content_hash = NULL,
                keep_modified_at = least(f.keep_modified_at, excluded.keep_modified_at)
        )
        SELECT CASE WHEN operation = 'create' THEN requests + is_known::int ELSE 0 END AS further FROM settled
        """
    }

    /// The note that a page belongs to, as its own or as a surplus one, if that is another than this. Reads all pages.
    ///
    /// Each row: `user_id`, `keep_note_id`.
    static func otherOwners(of page: String, user: UserID, note: String) -> PostgresQuery {
        """
        SELECT p.user_id, p.keep_note_id FROM (
            SELECT user_id, keep_note_id, notion_page_id FROM sync_state
            UNION ALL SELECT user_id, keep_note_id, notion_page_id FROM sync_surplus_pages
        ) AS p
        WHERE lower(replace(p.notion_page_id, '-', '')) = lower(replace(\(page), '-', ''))
            AND (p.user_id, p.keep_note_id) IS DISTINCT FROM (\(user.rawValue)::text, \(note)::text)
        ORDER BY p.user_id, p.keep_note_id LIMIT 1
        """
    }

    /// Records that none of the requests of an unknown write has been carried out: the next sync decides afresh. What
    /// was sent to another database stays on record. By primary key.
    ///
    /// A row if it is recorded: `requests`, how many there were.
    static func dropUnknownWrite(user: UserID, note: String) -> PostgresQuery {
        """
        WITH dropped AS (
            DELETE FROM sync_intents
            WHERE user_id = \(user.rawValue) AND keep_note_id = \(note)
                AND coalesce(open_until <= clock_timestamp(), true)
            RETURNING operation, notion_database_id
        ), earlier AS (
            DELETE FROM sync_unheard_requests AS u
            USING dropped AS d
            WHERE u.user_id = \(user.rawValue) AND u.keep_note_id = \(note) AND u.surplus_since IS NULL
                AND u.operation = d.operation AND u.notion_database_id IS NOT DISTINCT FROM d.notion_database_id
            RETURNING u.request
        ), elsewhere AS (
            UPDATE sync_unheard_requests AS u SET surplus_since = clock_timestamp()
            FROM dropped AS d
            WHERE u.user_id = \(user.rawValue) AND u.keep_note_id = \(note) AND u.surplus_since IS NULL
                AND u.operation = 'create' AND u.notion_database_id IS DISTINCT FROM d.notion_database_id
        )
        SELECT 1 + (SELECT count(*) FROM earlier) AS requests FROM dropped
        """
    }
}
