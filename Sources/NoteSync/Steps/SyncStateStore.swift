internal import Foundation
public import JobQueue
public import Postgres

/// Reads what earlier syncs remember of a user.
public struct SyncStateStore: Sendable {
    let pool: PostgresPool
    private let recordingGrace: Duration
    /// Where pages lie of which that is not on record; nil: in the database that the credentials name.
    private var databaseOfOtherPages: NotionDatabaseID?

    /// - Parameter recordingGrace: see ``SyncConfiguration/recordingGrace``.
    public init(pool: PostgresPool, recordingGrace: Duration = SyncConfiguration().recordingGrace) {
        self.pool = pool
        self.recordingGrace = recordingGrace
    }

    /// What `clear` took away, and what it left.
    public struct Cleared: Sendable {
        public let pages: Int
        public let failures: Int
        /// Whether there was a cursor.
        public let hadCursor: Bool
        /// Requests that may be under way or may have been carried out; they stay on record.
        public let openWrites: Int
        /// Pages beside the notes' own, and creates that may have made one; they stay on record too.
        public let surplusPages: Int
    }

    /// Whether a page of a user is on record.
    public func hasPages(of user: UserID) async throws -> Bool {
        try await !pool.query(.anyPage(of: user)).isEmpty
    }

    /// Forgets all pages of a user, so that the next sync creates every one anew.
    public func clear(_ user: UserID) async throws -> Cleared {
        try await pool.withTransaction { connection in
            let hadCursor: Bool =
                try await connection.query(.resetCursor(of: user)).first?.decode("had_cursor") ?? false
            return Cleared(
                pages: try await connection.execute(.clearPages(of: user)),
                failures: try await connection.execute(.clearFailures(of: user)),
                hadCursor: hadCursor,
                openWrites: try await connection.query(.countOpenIntents(of: user)).first?.decode("count") ?? 0,
                surplusPages: try await connection.query(.surplusPages(user: user)).count
            )
        }
    }

    /// The same, with pages of which no database is on record taken to lie in a database, if one is given.
    func placingOtherPages(in database: NotionDatabaseID?) -> SyncStateStore {
        var store = self
        store.databaseOfOtherPages = database
        return store
    }

    /// Where a user's sync stands at the start of a job.
    func position(of job: ClaimedJob) async throws -> SyncPosition {
        let user = job.userID
        let query = PostgresQuery.readCursor(user: user, lease: job.lease, peer: WriterHealth.peer)
        guard let row = try await pool.query(query).first else {
            throw NoteSyncError(.localFault, .transient(), "The database did not say where the sync of \(user) stands.")
        }
        let hasOnlyPages: Bool = try row.decode("has_only_pages")
        return SyncPosition(
            cursor: try row.decode("cursor", as: Date?.self).map { KeepTimestamp($0) },
            version: try row.decode("version"),
            now: KeepTimestamp(try row.decode("now", as: Date.self)),
            databases: hasOnlyPages
                ? try await databases(of: user) : PageDatabases(home: try row.decode("database_id"), ofPages: []),
            failedNotes: try row.decode("failed_ids"),
            oldestFailed: try row.decode("oldest_failed", as: Date?.self).map { KeepTimestamp($0) },
            hasOpenIntents: try row.decode("has_open"),
            unknownSince: try row.decode("unknown_since"),
            writerSucceededAt: try row.decode("succeeded_at")
        )
    }

    /// What the tables know of some notes, in their order.
    func known(_ noteIDs: [String], of user: UserID) async throws -> [KnownNote] {
        try await pool.query(.knownNotes(noteIDs, user: user)).map { row in
            KnownNote(page: try page(row), intent: try intent(row), failure: try failure(row))
        }
    }

    private func page(_ row: PostgresRow) throws -> KnownNote.Page? {
        guard let page = try row.decode("notion_page_id", as: String?.self) else { return nil }
        return KnownNote.Page(
            id: page,
            modifiedAt: KeepTimestamp(try row.decode("keep_modified_at", as: Date.self)),
            hash: try row.decode("content_hash", as: String?.self).map { ContentHash(text: $0) },
            untitledNumber: try row.decode("untitled_number", as: Int?.self),
            lastSyncedAt: try row.decode("last_synced_at"),
            databaseID: try row.decode("database_id", as: String?.self).map(NotionDatabaseID.init(stored:))
                ?? databaseOfOtherPages
        )
    }

    private func intent(_ row: PostgresRow) throws -> KnownNote.OpenIntent? {
        guard let operation = try row.decode("operation", as: String?.self).flatMap(Intent.Operation.init) else {
            return nil
        }
        return KnownNote.OpenIntent(
            operation: operation,
            request: RequestID(rawValue: try row.decode("request")),
            pageID: try row.decode("replaced"),
            idempotencyKey: try row.decode("idempotency_key"),
            hash: ContentHash(text: try row.decode("intent_hash")),
            modifiedAt: KeepTimestamp(try row.decode("intent_modified_at", as: Date.self)),
            databaseID: try row.decode("intent_database_id", as: String?.self).map(NotionDatabaseID.init(stored:)),
            resolution: try row.decode("resolution", as: String?.self).flatMap(SyncConfiguration.UnknownCreates.init),
            unknownCount: try row.decode("unknown_count"),
            wasTrial: try row.decode("was_trial"),
            wasOutage: try row.decode("was_outage"),
            unknownFor: .seconds(max(try row.decode("unknown_for", as: Double?.self) ?? 0, 0)),
            unknownAt: try row.decode("unknown_at"),
            openFor: try row.decode("open_for", as: Double?.self).flatMap { $0 > 0 ? .seconds($0) : nil },
            reason: try row.decode("reason")
        )
    }

    private func failure(_ row: PostgresRow) throws -> KnownNote.Failure? {
        guard let code = try row.decode("failure_code", as: String?.self) else { return nil }
        return KnownNote.Failure(
            code: code,
            error: try row.decode("failure_error"),
            hash: try row.decode("failure_hash", as: String?.self).map { ContentHash(text: $0) },
            databaseID: try row.decode("failure_database_id", as: String?.self).map(NotionDatabaseID.init(stored:))
        )
    }

    /// Records as unknown the writes that have no outcome on record in time.
    ///
    /// - Parameter user: nil for all.
    /// - Returns: the writes whose outcome is unknown since this call.
    func markAbandoned(of user: UserID?) async throws -> [AbandonedWrite] {
        try await pool.query(.markAbandonedIntents(user: user, recordingGrace: recordingGrace)).map { row in
            let operation: String = try row.decode("operation")
            return AbandonedWrite(
                userID: UserID(try row.decode("user_id")),
                noteID: try row.decode("keep_note_id"),
                operation: Intent.Operation(rawValue: operation) ?? .update
            )
        }
    }
}
