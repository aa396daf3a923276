internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Writes whose outcome is unknown, the oldest first; `user` nil for all. By the partial index on `unknown_at`.
    static func unknownWrites(user: UserID?) -> PostgresQuery {
        """
        SELECT user_id, keep_note_id, operation, notion_page_id, idempotency_key, unknown_at, unknown_count, resolution,
            reason, job_id
        FROM sync_intents
        WHERE unknown_at IS NOT NULL AND (\(user?.rawValue)::text IS NULL OR user_id = \(user?.rawValue))
        ORDER BY unknown_at, user_id, keep_note_id
        """
    }

    /// Lets the next sync send a write again. By primary key.
    static func retryUnknownWrite(user: UserID, note: String) -> PostgresQuery {
        """
        UPDATE sync_intents SET resolution = 'retry'
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) AND unknown_at IS NOT NULL
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
            WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) AND unknown_at IS NOT NULL
                AND (operation = 'create') = (\(page)::text IS NOT NULL)
            RETURNING user_id, keep_note_id, coalesce(\(page), notion_page_id) AS page_id, keep_modified_at, content_hash,
                operation
        ), recorded AS (
            INSERT INTO sync_state AS s (user_id, keep_note_id, notion_page_id, keep_modified_at, last_synced_at, content_hash,
                hash_modified_at)
            SELECT user_id, keep_note_id, page_id, timezone('utc', keep_modified_at), timezone('utc', clock_timestamp()),
                content_hash, timezone('utc', keep_modified_at)
            FROM settled
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET notion_page_id = excluded.notion_page_id, keep_modified_at = excluded.keep_modified_at,
                last_synced_at = excluded.last_synced_at, content_hash = excluded.content_hash,
                hash_modified_at = excluded.hash_modified_at
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
        WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) AND unknown_at IS NOT NULL
        RETURNING operation
        """
    }
}
