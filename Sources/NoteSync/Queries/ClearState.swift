internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Forgets a user's pages; the table's trigger resets the cursor.
    static func clearPages(of user: UserID) -> PostgresQuery {
        "DELETE FROM sync_state WHERE user_id = \(user.rawValue)"
    }

    /// A row if the user has a page. By `sync_state_user_id_keep_note_id_key`.
    static func anyPage(of user: UserID) -> PostgresQuery {
        "SELECT FROM sync_state WHERE user_id = \(user.rawValue) LIMIT 1"
    }

    static func clearFailures(of user: UserID) -> PostgresQuery {
        "DELETE FROM sync_failed_notes WHERE user_id = \(user.rawValue)"
    }

    /// Has everything fetched, also of a user without pages, for whom no trigger fires; a job under way does not move
    /// it again. The user's first job has no cursor yet: its row is made here, so that the job finds another version
    /// than it began with.
    ///
    /// A row if there is one: `had_cursor`.
    static func resetCursor(of user: UserID) -> PostgresQuery {
        """
        WITH before AS MATERIALIZED (
            SELECT keep_modified_at IS NOT NULL AS had_cursor FROM sync_cursors WHERE user_id = \(user.rawValue) FOR UPDATE
        ), reset AS (
            INSERT INTO sync_cursors AS c (user_id, keep_modified_at, version) VALUES (\(user.rawValue), NULL, 1)
            ON CONFLICT (user_id) DO UPDATE
            SET keep_modified_at = NULL, notion_database_id = NULL, version = c.version + 1, updated_at = now()
        )
        SELECT had_cursor FROM before
        """
    }

    /// Requests of a user that may be under way or have an unknown outcome: `count`. They are not forgotten.
    static func countOpenIntents(of user: UserID) -> PostgresQuery {
        "SELECT count(*) AS count FROM sync_intents WHERE user_id = \(user.rawValue)"
    }
}
