internal import Fernet
public import JobQueue
internal import Postgres

extension CredentialStore {
    /// What became of binding a user's credentials as they are.
    public enum BindingResult: Sendable, Equatable {
        case bound, wasBound
        /// The user has none.
        case noCredentials
        /// None of the keys opens a token.
        case unopened
        /// A token of theirs is stored for this user too.
        case copied(from: UserID)
        /// Something changed them meanwhile.
        case overtaken
    }

    /// Binds a user's credentials as they are. Needs SELECT on the tokens.
    ///
    /// - Parameter owners: a moment old at most.
    /// - Throws: `PostgresError`; `FernetError` with code `cryptographyFailed`.
    public func bind(_ user: UserID, _ owners: TokenOwners) async throws -> BindingResult {
        guard let row = try await pool.query(.credentials(of: user)).first else { return .noCredentials }
        let stored = try CredentialRow(row)
        guard opens(stored.googleToken), opens(stored.notionToken) else { return .unopened }
        if try CredentialBinding(of: stored, keys: keys) == .valid { return .wasBound }
        if let other = owners.other(than: stored, secrets) { return .copied(from: other) }
        let binding = try CredentialBinding.text(of: stored, keys: keys)
        return try await pool.execute(.bindCredentials(stored, binding: binding)) > 0 ? .bound : .overtaken
    }

    /// Whose tokens those stored are, as far as the keys open them. Reads all credentials.
    ///
    /// - Throws: `PostgresError`.
    public func tokenOwners() async throws -> TokenOwners {
        var owners = TokenOwners()
        var last = ""
        while true {
            let rows = try await pool.query(.storedCredentials(after: last, limit: Self.batch)).map(CredentialRow.init)
            for row in rows { owners.add(row, secrets) }
            guard let end = rows.last?.userID else { return owners }
            last = end
        }
    }

    /// Users by their tokens.
    public struct TokenOwners: Sendable {
        private var users: [String: [UserID]] = [:]

        mutating func add(_ stored: CredentialRow, _ secrets: StoredSecret) {
            for token in Self.tokens(stored, secrets) { users[token, default: []].append(UserID(stored.userID)) }
        }

        /// Another user who has one of the tokens too.
        func other(than stored: CredentialRow, _ secrets: StoredSecret) -> UserID? {
            for token in Self.tokens(stored, secrets) {
                if let other = users[token]?.first(where: { $0 != UserID(stored.userID) }) { return other }
            }
            return nil
        }

        /// A Google token is one account's, however often it has been encrypted. One Notion token many users may
        /// have, but none that was encrypted once.
        private static func tokens(_ stored: CredentialRow, _ secrets: StoredSecret) -> [String] {
            // One that no key opens is not bound.
            let google = try? secrets.decrypt(stored.googleToken)
            let tokens = [("google ", google), ("notion ", StoredSecret.canonical(stored.notionToken))]
            return tokens.compactMap { kind, token in token.flatMap { $0.isEmpty ? nil : kind + $0 } }
        }
    }

    /// Users whose credentials never had a binding, by name.
    public func usersNeverBound() async throws -> [UserID] {
        try await pool.query(.usersNeverBound()).map { UserID(try $0.decode("user_id")) }
    }
}
