public import JobQueue
internal import Postgres

/// The Notion databases that a user's pages lie in, as the tables know them.
///
/// What a job compares with the credentials is the database of the last sync that moved the cursor, in which every note
/// was settled. Without one, as while pages are being created anew in another database, those of all pages count: a job
/// goes on with a database that some of them lie in. Notes whose pages lie elsewhere then get one there, and none of
/// the pages elsewhere is touched; who had to clear the state instead would have those that lie there already twice.
public struct PageDatabases: Sendable, Equatable {
    /// That of the last sync that moved the cursor; nil: none has.
    public let home: String?
    /// Those of the pages on record, sorted; a page of the replaced service may have none. A job does not read them
    /// where there is a ``home``.
    public let ofPages: [String]

    /// What a job compares with the credentials; empty: nothing is on record.
    public var compared: [String] { home.map { [$0] } ?? ofPages }

    /// Whether a user's job goes on with a database.
    public func accept(_ database: String) -> Bool {
        compared.isEmpty || compared.contains { CredentialStore.isSameDatabase($0, database) }
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
