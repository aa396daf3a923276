internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Writes whose outcome is unknown, and those whose job is over or whose time has passed and that nobody has looked at since:
    /// the oldest first; `user` nil for all. Reads the whole table, which holds open writes only.
    static func unknownWrites(user: UserID?) -> PostgresQuery {
        """
        SELECT i.user_id, i.keep_note_id, i.operation, i.notion_page_id, i.idempotency_key,
            coalesce(i.unknown_at, least(i.open_until, clock_timestamp()), i.created_at) AS since,
            greatest(i.sent_count, i.unknown_count, 1) AS count, i.unknown_count, i.resolution, i.reason, i.job_id,
            CASE WHEN i.unknown_at IS NULL AND i.open_until > clock_timestamp() THEN i.open_until END AS open_until
        FROM sync_intents AS i
        WHERE (\(user?.rawValue)::text IS NULL OR i.user_id = \(user?.rawValue))
            AND (i.unknown_at IS NOT NULL OR coalesce(i.open_until <= clock_timestamp(), true)
                OR NOT EXISTS (SELECT FROM sync_jobs AS j WHERE j.job_id = i.job_id AND j.lease = i.lease))
        ORDER BY since, i.user_id, i.keep_note_id
        """
    }

    /// Pages beside the ones their notes have, the oldest first; `user` nil for all.
    static func surplusPages(user: UserID?) -> PostgresQuery {
        """
        SELECT user_id, keep_note_id, notion_page_id, notion_database_id, idempotency_key, job_id, found_at
        FROM sync_surplus_pages
        WHERE \(user?.rawValue)::text IS NULL OR user_id = \(user?.rawValue)
        ORDER BY found_at, user_id, keep_note_id
        """
    }

    /// Forgets a surplus page that somebody has seen to. By primary key.
    static func forgetSurplusPage(user: UserID, note: String, page: String) -> PostgresQuery {
        """
        DELETE FROM sync_surplus_pages
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) AND notion_page_id = \(page)
        """
    }

    /// Lets the next sync send a write again. By primary key.
    static func retryUnknownWrite(user: UserID, note: String) -> PostgresQuery {
        """
        UPDATE sync_intents SET resolution = 'retry', unknown_at = coalesce(unknown_at, clock_timestamp())
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note)
            AND (unknown_at IS NOT NULL OR coalesce(open_until <= clock_timestamp(), true))
        RETURNING operation
        """
    }

    /// Records that an unknown write has happened: its page shows what was being written. By primary key.
    ///
    /// - Parameter page: of a create; an update knows its page.
    static func settleUnknownWrite(user: UserID, note: String, page: String?) -> PostgresQuery {
        """
        WITH settled AS (
            DELETE FROM sync_intents
            WHERE user_id = \(user.rawValue) AND keep_note_id = \(note)
                AND (unknown_at IS NOT NULL OR coalesce(open_until <= clock_timestamp(), true))
                AND (operation = 'create') = (\(page)::text IS NOT NULL)
            RETURNING user_id, keep_note_id, coalesce(\(page), notion_page_id) AS page_id, keep_modified_at, content_hash,
                operation, notion_database_id
        ), recorded AS (
            INSERT INTO sync_state AS s (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at, content_hash,
                hash_modified_at, notion_database_id)
            SELECT user_id, keep_note_id, page_id, timezone('utc', keep_modified_at), timezone('utc', clock_timestamp()),
                content_hash, timezone('utc', keep_modified_at), notion_database_id
            FROM settled
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET notion_page_id = excluded.notion_page_id, keep_modified_at = excluded.keep_modified_at,
                last_synced_at = excluded.last_synced_at, content_hash = excluded.content_hash,
                hash_modified_at = excluded.hash_modified_at, notion_database_id = excluded.notion_database_id
        ), cleared AS (
            DELETE FROM sync_failed_notes WHERE (user_id, keep_note_id) IN (SELECT user_id, keep_note_id FROM settled)
        )
        SELECT operation FROM settled
        """
    }

    /// Records that an unknown write has not happened: the next sync decides afresh. By primary key.
    static func dropUnknownWrite(user: UserID, note: String) -> PostgresQuery {
        """
        DELETE FROM sync_intents
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note)
            AND (unknown_at IS NOT NULL OR coalesce(open_until <= clock_timestamp(), true))
        RETURNING operation
        """
    }
}
