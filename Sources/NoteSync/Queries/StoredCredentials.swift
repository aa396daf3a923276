internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// A user's credentials as stored. By primary key.
    ///
    /// Whoever may change the table may lock it.
    static func credentials(of user: UserID) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT user_id, google_oauth_token, notion_api_token, notion_database_id, binding,
                binding_cleared_at IS NOT NULL AS is_binding_cleared
            FROM credentials WHERE user_id = \(user.rawValue)
            """
        )
    }

    /// Stores credentials, the tokens encrypted. By primary key.
    ///
    /// Does not read `excluded`: that would need SELECT on the tokens, which an operator does not have.
    static func storeCredentials(_ stored: CredentialRow) -> PostgresQuery {
        """
        INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id, binding, updated_at)
        VALUES (\(stored.userID), \(stored.googleToken), \(stored.notionToken), \(stored.databaseID), \(stored.binding),
            timezone('utc', now()))
        ON CONFLICT (user_id) DO UPDATE
        SET google_oauth_token = \(stored.googleToken), notion_api_token = \(stored.notionToken),
            notion_database_id = \(stored.databaseID), binding = \(stored.binding), updated_at = timezone('utc', now())
        """
    }

    /// Some users' credentials as stored, by name, those after a user. By primary key.
    static func storedCredentials(after user: String, limit: Int) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT user_id, google_oauth_token, notion_api_token, notion_database_id, binding,
                binding_cleared_at IS NOT NULL AS is_binding_cleared
            FROM credentials
            WHERE user_id > \(user) ORDER BY user_id LIMIT \(limit)
            """
        )
    }

    /// Whether anything is stored that needs a key. Does not read the tokens, on which an operator's role has no
    /// SELECT.
    static func isAnythingEncrypted() -> PostgresQuery {
        .byIndexGivingWay(
            "SELECT EXISTS (SELECT FROM credentials) OR EXISTS (SELECT FROM sync_installation_keys) AS found"
        )
    }

    /// Replaces a user's tokens by the same under another key, and the binding if there is a new one, unless somebody
    /// has stored something else meanwhile. By primary key.
    static func replaceCredentials(_ old: CredentialRow, by new: CredentialRow) -> PostgresQuery {
        """
        UPDATE credentials
        SET google_oauth_token = \(new.googleToken), notion_api_token = \(new.notionToken), binding = \(new.binding)
        WHERE user_id = \(old.userID) AND google_oauth_token = \(old.googleToken) AND notion_api_token = \(old.notionToken)
            AND notion_database_id = \(old.databaseID) AND binding IS NOT DISTINCT FROM \(old.binding)
        """
    }

    /// Binds credentials, unless somebody has stored something else meanwhile. By primary key.
    static func bindCredentials(_ stored: CredentialRow, binding: String) -> PostgresQuery {
        """
        UPDATE credentials SET binding = \(binding)
        WHERE user_id = \(stored.userID) AND google_oauth_token = \(stored.googleToken)
            AND notion_api_token = \(stored.notionToken) AND notion_database_id = \(stored.databaseID)
        """
    }

    /// Users whose credentials never had a binding, by name.
    static func usersNeverBound() -> PostgresQuery {
        "SELECT user_id FROM credentials WHERE binding IS NULL AND binding_cleared_at IS NULL ORDER BY user_id"
    }

    /// Users with credentials, by name.
    static func credentialOwners() -> PostgresQuery {
        """
        SELECT user_id, notion_database_id, updated_at, binding IS NOT NULL AS is_bound,
            binding_cleared_at IS NOT NULL AS is_binding_cleared
        FROM credentials ORDER BY user_id
        """
    }

    /// A row if the user has credentials, as one of `credentialOwners`. By primary key.
    static func credentialOwner(_ user: UserID) -> PostgresQuery {
        """
        SELECT user_id, notion_database_id, updated_at, binding IS NOT NULL AS is_bound,
            binding_cleared_at IS NOT NULL AS is_binding_cleared
        FROM credentials WHERE user_id = \(user.rawValue)
        """
    }

    /// Whether another user has credentials. Does not read the tokens.
    static func areThereOthers(than user: UserID) -> PostgresQuery {
        "SELECT EXISTS (SELECT FROM credentials WHERE user_id <> \(user.rawValue)) AS found"
    }

    static func deleteCredentials(of user: UserID) -> PostgresQuery {
        "DELETE FROM credentials WHERE user_id = \(user.rawValue)"
    }
}
