public import JobQueue
internal import Postgres

/// The Notion databases that a user's pages lie in, as the tables know them.
public struct PageDatabases: Sendable {
    /// The one that a job compares with the credentials: of the last sync that moved the cursor, or of a page; nil:
    /// none is known.
    public let home: String?
    /// Those of the pages on record, sorted; of ten thousand pages at most.
    public let ofPages: [String]

    /// Whether a user's job goes on with a database: it is the home, or nothing is on record.
    public func accept(_ database: String) -> Bool {
        home.map { CredentialStore.isSameDatabase($0, database) } ?? true
    }

    /// Those of the pages that are another than a given one.
    public func others(than database: String) -> [String] {
        ofPages.filter { !CredentialStore.isSameDatabase($0, database) }
    }
}

extension SyncStateStore {
    /// The databases that a user's pages lie in.
    public func databases(of user: UserID) async throws -> PageDatabases {
        let row = try await pool.query(.pageDatabases(of: user)).first
        return PageDatabases(home: try row?.decode("home"), ofPages: try row?.decode("of_pages") ?? [])
    }
}
