internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Forgets a user's pages; the table's trigger resets the cursor.
    static func clearPages(of user: UserID) -> PostgresQuery {
        "DELETE FROM sync_state WHERE user_id = \(user.rawValue)"
    }

    static func clearFailures(of user: UserID) -> PostgresQuery {
        "DELETE FROM sync_failed_notes WHERE user_id = \(user.rawValue)"
    }

    static func clearIntents(of user: UserID) -> PostgresQuery {
        "DELETE FROM sync_intents WHERE user_id = \(user.rawValue)"
    }
}
