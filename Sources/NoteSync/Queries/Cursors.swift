internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Where a user's sync stands, and the failed notes it has to ask for again. By the primary keys.
    ///
    /// One row: `cursor` (NULL: fetch everything), `version`, `now` (the database's clock), `failed_ids`,
    /// `oldest_failed` (NULL with failed notes: one of them has no time), `has_orphans` (a dead or paused worker has left
    /// intents).
    static func readCursor(user: UserID, lease: Lease) -> PostgresQuery {
        .byIndex(
            """
            SELECT c.keep_modified_at AS cursor, coalesce(c.version, 0) AS version, clock_timestamp() AS now,
                f.ids AS failed_ids, CASE WHEN f.all_timed THEN f.oldest END AS oldest_failed,
                EXISTS (SELECT FROM sync_intents AS i
                        WHERE i.user_id = \(user.rawValue) AND i.lease <> \(lease.rawValue) AND i.unknown_at IS NULL
                ) AS has_orphans
            FROM (VALUES (true)) AS one_row
            LEFT JOIN sync_cursors AS c ON c.user_id = \(user.rawValue)
            CROSS JOIN (
                SELECT coalesce(array_agg(keep_note_id::text), ARRAY[]::text[]) AS ids, min(keep_modified_at) AS oldest,
                    coalesce(bool_and(keep_modified_at IS NOT NULL), true) AS all_timed
                FROM sync_failed_notes WHERE user_id = \(user.rawValue)
            ) AS f
            """
        )
    }

    /// Moves the cursor forward, unless somebody has reset it since `version` was read.
    static func moveCursor(_ move: CursorMove, user: UserID) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_cursors AS c (user_id, keep_modified_at, version)
            VALUES (\(user.rawValue), \(move.modifiedAt?.date), \(move.version))
            ON CONFLICT (user_id) DO UPDATE
            SET keep_modified_at = greatest(c.keep_modified_at, excluded.keep_modified_at), updated_at = now()
            WHERE c.version = excluded.version
            """
        )
    }
}
