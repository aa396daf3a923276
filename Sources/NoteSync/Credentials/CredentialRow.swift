internal import Postgres

/// A row of the table `credentials`, the tokens encrypted.
struct CredentialRow: Sendable, Equatable {
    var userID: String
    var googleToken: String
    var notionToken: String
    var databaseID: String
    var binding: String?
    /// Whether a change by something that knows no bindings took the binding away.
    var isBindingCleared = false
}

extension CredentialRow {
    init(_ row: PostgresRow) throws {
        self.init(
            userID: try row.decode("user_id"),
            googleToken: try row.decode("google_oauth_token"),
            notionToken: try row.decode("notion_api_token"),
            databaseID: try row.decode("notion_database_id"),
            binding: try row.decode("binding"),
            isBindingCleared: try row.decode("is_binding_cleared")
        )
    }
}
