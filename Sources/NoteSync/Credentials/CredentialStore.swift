public import Fernet
public import Foundation
public import JobQueue
public import Postgres

/// The table `credentials`, whose two tokens are stored encrypted.
public struct CredentialStore: Sendable {
    let pool: PostgresPool
    let secrets: StoredSecret

    public init(pool: PostgresPool, keys: FernetKeyRing) {
        self.pool = pool
        secrets = StoredSecret(keyRing: keys)
    }

    /// Loads and decrypts a user's credentials.
    ///
    /// - Throws: `NoteSyncError` with code `noCredentials` or `undecipherableCredentials`, both permanent;
    ///   `PostgresError`.
    public func load(_ user: UserID) async throws -> Credentials {
        guard let row = try await pool.query(.credentials(of: user)).first else {
            throw NoteSyncError(
                .noCredentials,
                .permanent,
                "There are no credentials for user \(user). Store them with: "
                    + user.shellCommand("syncctl credentials set", "--database-id ID")
            )
        }
        return Credentials(
            googleToken: try decrypt(try row.decode("google_oauth_token"), "google_oauth_token", of: user),
            notionToken: try decrypt(try row.decode("notion_api_token"), "notion_api_token", of: user),
            databaseID: try row.decode("notion_database_id")
        )
    }

    private func decrypt(_ stored: String, _ column: String, of user: UserID) throws -> String {
        do {
            return try secrets.decrypt(stored)
        } catch {
            throw NoteSyncError(
                .undecipherableCredentials,
                .permanent,
                "The credentials of user \(user) can't be decrypted (column \(column) of credentials). \(error) Set "
                    + "AWS_ENCRYPTION_KEY to the key they were stored with, several keys separated by commas, or store them again."
            )
        }
    }

    /// Stores a user's credentials, in place of those there.
    public func store(_ credentials: Credentials, of user: UserID) async throws {
        try await pool.execute(
            .storeCredentials(
                user: user,
                googleToken: try secrets.encrypt(credentials.googleToken),
                notionToken: try secrets.encrypt(credentials.notionToken),
                databaseID: credentials.databaseID
            )
        )
    }

    /// A user who has credentials.
    public struct Owner: Sendable {
        public let userID: UserID
        public let databaseID: String
        public let updatedAt: Date
    }

    /// All users who have credentials, by name.
    public func owners() async throws -> [Owner] {
        try await pool.query(.credentialOwners()).map { row in
            Owner(
                userID: UserID(try row.decode("user_id")),
                databaseID: try row.decode("notion_database_id"),
                updatedAt: try row.decode("updated_at")
            )
        }
    }

    /// Whether a user has credentials; does not decrypt them.
    public func exists(_ user: UserID) async throws -> Bool {
        try await !pool.query(.credentialOwner(user)).isEmpty
    }

    /// The Notion database in a user's credentials; nil: the user has none.
    public func databaseID(of user: UserID) async throws -> String? {
        try await pool.query(.credentialOwner(user)).first?.decode("notion_database_id")
    }

    /// - Returns: whether there were any.
    public func delete(_ user: UserID) async throws -> Bool {
        try await pool.execute(.deleteCredentials(of: user)) > 0
    }
}
