public import Fernet
public import Foundation
public import JobQueue
public import Postgres

/// The table `credentials`, whose two tokens are stored encrypted.
public struct CredentialStore: Sendable {
    let pool: PostgresPool
    let keys: FernetKeyRing
    let secrets: StoredSecret

    public init(pool: PostgresPool, keys: FernetKeyRing) {
        self.pool = pool
        self.keys = keys
        secrets = StoredSecret(keyRing: keys)
    }

    /// Loads and decrypts a user's credentials.
    ///
    /// - Parameter requiresBinding: refuse those that are not known to be the user's own.
    /// - Throws: `NoteSyncError` with code `noCredentials`, `undecipherableCredentials` or `unboundCredentials`, all
    ///   permanent; `PostgresError`.
    public func load(_ user: UserID, requiresBinding: Bool = false) async throws -> Credentials {
        guard let row = try await pool.query(.credentials(of: user)).first else {
            throw NoteSyncError(
                .noCredentials,
                .permanent,
                "There are no credentials for user \(user). Store them with: "
                    + user.shellCommand("syncctl credentials set", "--database-id ID")
            )
        }
        let stored = try CredentialRow(row)
        var credentials = Credentials(
            googleToken: try decrypt(stored.googleToken, "google_oauth_token", of: stored),
            notionToken: try decrypt(stored.notionToken, "notion_api_token", of: stored),
            databaseID: stored.databaseID
        )
        credentials.binding = try binding(of: stored)
        if requiresBinding, credentials.binding != .valid {
            throw NoteSyncError(.unboundCredentials, .permanent, Self.refusal(of: user, credentials.binding))
        }
        return credentials
    }

    private func binding(of stored: CredentialRow) throws -> CredentialBinding {
        do {
            return try CredentialBinding(of: stored, keys: keys)
        } catch {
            throw NoteSyncError.machineFault("\(error)")
        }
    }

    private static func refusal(of user: UserID, _ binding: CredentialBinding) -> String {
        let why =
            binding.isChangedOutside
            ? "were changed by something other than syncctl since they were bound to the user"
            : "were never bound to the user"
        return
            "The credentials of user \(user) \(why), and SYNC_CREDENTIALS_BINDING is require. Make sure whose they are, then run: "
            + "\(user.shellCommand("syncctl credentials bind")). Or store them again with: "
            + setCommand(of: user, isChangedOutside: binding.isChangedOutside)
    }

    private static let undecipherable = "can't be decrypted"

    /// Whether an error of a job says that its worker's keys did not open the user's tokens.
    public static func saysUndecipherable(_ error: String) -> Bool {
        error.hasPrefix("The credentials of user ") && error.contains(" \(undecipherable) (column ")
    }

    /// The command that stores a user's credentials again, to be pasted. It takes no database unasked that something
    /// else may have changed.
    public static func setCommand(of user: UserID, isChangedOutside: Bool) -> String {
        user.shellCommand("syncctl credentials set", isChangedOutside ? "--database-id ID" : "")
    }

    private func decrypt(_ token: String, _ column: String, of stored: CredentialRow) throws -> String {
        do {
            return try secrets.decrypt(token)
        } catch {
            let user = UserID(stored.userID)
            let command = Self.setCommand(of: user, isChangedOutside: stored.isBindingCleared)
            throw NoteSyncError(
                .undecipherableCredentials,
                .permanent,
                "The credentials of user \(user) \(Self.undecipherable) (column \(column) of credentials). \(error) "
                    + "If you have the key they were stored with, add it to AWS_ENCRYPTION_KEY, after a comma. If nobody has it any more, "
                    + "store them again with: \(command)"
            )
        }
    }

    /// Stores a user's credentials, bound to the user, in place of those there.
    public func store(_ credentials: Credentials, of user: UserID) async throws {
        var stored = CredentialRow(
            userID: user.rawValue,
            googleToken: try secrets.encrypt(credentials.googleToken),
            notionToken: try secrets.encrypt(credentials.notionToken),
            databaseID: credentials.databaseID
        )
        stored.binding = try CredentialBinding.text(of: stored, keys: keys)
        try await pool.execute(.storeCredentials(stored))
    }

    /// A user who has credentials.
    public struct Owner: Sendable {
        public let userID: UserID
        public let databaseID: String
        public let updatedAt: Date
        /// Whether there is a binding, be it a wrong one: only a key can tell.
        public let isBound: Bool
        /// Whether something other than this service's programs has changed them since they were bound.
        public let isBindingCleared: Bool

        init(_ row: PostgresRow) throws {
            userID = UserID(try row.decode("user_id"))
            databaseID = try row.decode("notion_database_id")
            updatedAt = try row.decode("updated_at")
            isBound = try row.decode("is_bound")
            isBindingCleared = try row.decode("is_binding_cleared")
        }
    }

    /// All users who have credentials, by name.
    public func owners() async throws -> [Owner] {
        try await pool.query(.credentialOwners()).map(Owner.init)
    }

    /// A user as one who has credentials; nil: the user has none.
    public func owner(_ user: UserID) async throws -> Owner? {
        try await pool.query(.credentialOwner(user)).first.map(Owner.init)
    }

    /// Whether a user has credentials; does not decrypt them.
    public func exists(_ user: UserID) async throws -> Bool {
        try await !pool.query(.credentialOwner(user)).isEmpty
    }

    /// The Notion database in a user's credentials, and whether something other than this service's programs has
    /// changed them since they were bound; nil: the user has none.
    public func database(of user: UserID) async throws -> (id: String, isChangedOutside: Bool)? {
        try await owner(user).map { ($0.databaseID, $0.isBindingCleared) }
    }

    /// Whether two texts name the same Notion database, however they are written.
    public static func isSameDatabase(_ left: String, _ right: String) -> Bool {
        NotionDatabaseID(left) == NotionDatabaseID(right)
    }

    /// - Returns: whether there were any.
    public func delete(_ user: UserID) async throws -> Bool {
        try await pool.execute(.deleteCredentials(of: user)) > 0
    }
}
