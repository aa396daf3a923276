internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// A user's credentials as stored. By primary key.
    static func credentials(of user: UserID) -> PostgresQuery {
        .byIndex(
            """
            SELECT google_oauth_token, notion_api_token, notion_database_id FROM credentials WHERE user_id = \(user.rawValue)
            """
        )
    }

    /// Stores credentials, the tokens encrypted. By primary key.
    ///
    /// Does not read `excluded`: that would need SELECT on the tokens, which an operator does not have.
    static func storeCredentials(
        user: UserID,
        googleToken: String,
        notionToken: String,
        databaseID: String
    ) -> PostgresQuery {
        """
        INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id, updated_at)
        VALUES (\(user.rawValue), \(googleToken), \(notionToken), \(databaseID), timezone('utc', now()))
        ON CONFLICT (user_id) DO UPDATE
        SET google_oauth_token = \(googleToken), notion_api_token = \(notionToken), notion_database_id = \(databaseID),
            updated_at = timezone('utc', now())
        """
    }

    /// Some users' credentials as stored, by name, those after a user. By primary key.
    static func storedCredentials(after user: String, limit: Int) -> PostgresQuery {
        """
        SELECT user_id, google_oauth_token, notion_api_token FROM credentials
        WHERE user_id > \(user) ORDER BY user_id LIMIT \(limit)
        """
    }

    /// Whether anything is stored that needs a key. Does not read the tokens, on which an operator's role has no SELECT.
    static func isAnythingEncrypted() -> PostgresQuery {
        "SELECT EXISTS (SELECT FROM credentials) OR EXISTS (SELECT FROM sync_installation_keys) AS found"
    }

    /// Replaces a user's tokens by the same under another key, unless somebody has stored others meanwhile. By primary key.
    static func replaceCredentials(
        of user: String,
        google: (old: String, new: String),
        notion: (old: String, new: String)
    ) -> PostgresQuery {
        """
        UPDATE credentials SET google_oauth_token = \(google.new), notion_api_token = \(notion.new)
        WHERE user_id = \(user) AND google_oauth_token = \(google.old) AND notion_api_token = \(notion.old)
        """
    }

    /// Users with credentials, by name.
    static func credentialOwners() -> PostgresQuery {
        "SELECT user_id, notion_database_id, updated_at FROM credentials ORDER BY user_id"
    }

    /// A row if the user has credentials: `notion_database_id`. By primary key.
    static func credentialOwner(_ user: UserID) -> PostgresQuery {
        "SELECT notion_database_id FROM credentials WHERE user_id = \(user.rawValue)"
    }

    /// Whether another user has credentials. Does not read the tokens.
    static func areThereOthers(than user: UserID) -> PostgresQuery {
        "SELECT EXISTS (SELECT FROM credentials WHERE user_id <> \(user.rawValue)) AS found"
    }

    static func deleteCredentials(of user: UserID) -> PostgresQuery {
        "DELETE FROM credentials WHERE user_id = \(user.rawValue)"
    }
}
