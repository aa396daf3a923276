internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Where a user's sync stands, and the notes it has to ask for again. By the primary keys and the unique index of
    /// `sync_state`.
    ///
    /// One row: `cursor` (NULL: fetch everything), `version`, `now` (the database's clock), `database_id` (of the last
    /// sync that moved the cursor; NULL: none has), `has_only_pages` (`database_id` is NULL, and there are pages:
    /// ``pageDatabases(of:)`` says where, and looks at each of them), `failed_ids`, `oldest_failed` (of failed notes
    /// and open writes; NULL with failed notes: one of them has no time), `has_open` (an earlier run has left
    /// requests), `unknown_since` (of the latest unknown outcome), `succeeded_at` (the latest success of anybody's
    /// call).
    static func readCursor(user: UserID, lease: Lease, peer: String) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT c.keep_modified_at AS cursor, coalesce(c.version, 0) AS version, clock_timestamp() AS now,
                c.notion_database_id AS database_id, c.notion_database_id IS NULL AND s.exist AS has_only_pages,
                f.ids AS failed_ids, CASE WHEN f.all_timed THEN least(f.oldest, i.oldest) END AS oldest_failed,
                i.has_open, i.unknown_since, p.succeeded_at
            FROM (VALUES (true)) AS one_row
            LEFT JOIN sync_cursors AS c ON c.user_id = \(user.rawValue)
            CROSS JOIN (SELECT EXISTS (SELECT FROM sync_state WHERE user_id = \(user.rawValue)) AS exist) AS s
            LEFT JOIN sync_peer_successes AS p ON p.peer = \(peer)
            CROSS JOIN (
                SELECT coalesce(array_agg(keep_note_id::text), ARRAY[]::text[]) AS ids, min(keep_modified_at) AS oldest,
                    coalesce(bool_and(keep_modified_at IS NOT NULL), true) AS all_timed
                FROM sync_failed_notes WHERE user_id = \(user.rawValue) AND code <> 'deferred'
            ) AS f
            CROSS JOIN (
                SELECT min(keep_modified_at) AS oldest, max(unknown_at) AS unknown_since,
                    coalesce(bool_or(lease <> \(lease.rawValue) AND unknown_at IS NULL), false) AS has_open
                FROM sync_intents WHERE user_id = \(user.rawValue)
            ) AS i
            """
        )
    }

    /// Where a user's pages lie; `home` is what ``readCursor(user:lease:peer:)`` calls `database_id`. By the primary
    /// key and the unique index of `sync_state`.
    ///
    /// One row: `home`, which may be NULL; `of_pages`, without those that are not known.
    static func pageDatabases(of user: UserID) -> PostgresQuery {
        """
        SELECT c.notion_database_id AS home, p.of_pages
        FROM (VALUES (true)) AS one_row
        LEFT JOIN sync_cursors AS c ON c.user_id = \(user.rawValue)
        CROSS JOIN (
            SELECT coalesce(array_agg(DISTINCT notion_database_id::text COLLATE "C" ORDER BY notion_database_id::text COLLATE "C")
                FILTER (WHERE notion_database_id IS NOT NULL), ARRAY[]::text[]) AS of_pages
            FROM sync_state WHERE user_id = \(user.rawValue)
        ) AS p
        """
    }

    /// Moves the cursor, unless somebody has reset it since `version` was read. One that is ahead of the clock is none.
    static func moveCursor(_ move: CursorMove, user: UserID) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_cursors AS c (user_id, keep_modified_at, version, notion_database_id)
            VALUES (\(user.rawValue), \(move.modifiedAt?.date), \(move.version), \(move.databaseID.text))
            ON CONFLICT (user_id) DO UPDATE
            SET keep_modified_at = CASE WHEN excluded.keep_modified_at IS NOT NULL
                        AND (\(move.mayMoveBack) OR c.keep_modified_at > now()
                            OR c.notion_database_id <> excluded.notion_database_id)
                    THEN excluded.keep_modified_at
                    ELSE greatest(c.keep_modified_at, excluded.keep_modified_at) END,
                notion_database_id = excluded.notion_database_id, updated_at = now()
            WHERE c.version = excluded.version
            """
        )
    }
}
