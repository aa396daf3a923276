internal import Foundation
public import JobQueue
public import Postgres

/// Reads what earlier syncs remember of a user.
public struct SyncStateStore: Sendable {
    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// What `clear` took away.
    public struct Cleared: Sendable {
        public let pages: Int
        public let failures: Int
        public let intents: Int
    }

    /// Forgets all pages of a user, so that the next sync creates every one anew.
    public func clear(_ user: UserID) async throws -> Cleared {
        try await pool.withTransaction { connection in
            Cleared(
                pages: try await connection.execute(.clearPages(of: user)),
                failures: try await connection.execute(.clearFailures(of: user)),
                intents: try await connection.execute(.clearIntents(of: user))
            )
        }
    }

    /// Where a user's sync stands at the start of a job.
    func position(of job: ClaimedJob) async throws -> SyncPosition {
        let user = job.userID
        guard let row = try await pool.query(.readCursor(user: user, lease: job.lease)).first else {
            throw NoteSyncError(.localFault, .transient(), "The database did not say where the sync of \(user) stands.")
        }
        return SyncPosition(
            cursor: try row.decode("cursor", as: Date?.self).map { KeepTimestamp($0) },
            version: try row.decode("version"),
            now: KeepTimestamp(try row.decode("now", as: Date.self)),
            failedNotes: Set(try row.decode("failed_ids", as: [String].self)),
            oldestFailed: try row.decode("oldest_failed", as: Date?.self).map { KeepTimestamp($0) },
            hasOrphanedIntents: try row.decode("has_orphans")
        )
    }

    /// What the tables know of some notes, in their order.
    func known(_ noteIDs: [String], of user: UserID) async throws -> [KnownNote] {
        try await pool.query(.knownNotes(noteIDs, user: user)).map { row in
            var known = KnownNote()
            if let page = try row.decode("notion_page_id", as: String?.self) {
                known.page = KnownNote.Page(
                    id: page,
                    modifiedAt: KeepTimestamp(try row.decode("keep_modified_at", as: Date.self)),
                    hash: try row.decode("content_hash", as: String?.self).map { ContentHash(text: $0) },
                    untitledNumber: try row.decode("untitled_number", as: Int?.self),
                    lastSyncedAt: try row.decode("last_synced_at")
                )
            }
            if let operation = try row.decode("operation", as: String?.self).flatMap(Intent.Operation.init) {
                known.intent = KnownNote.OpenIntent(
                    operation: operation,
                    idempotencyKey: try row.decode("idempotency_key"),
                    hash: ContentHash(text: try row.decode("intent_hash")),
                    resolution: try row.decode("resolution", as: String?.self)
                        .flatMap(SyncConfiguration.UnknownCreates.init)
                )
            }
            known.hasFailed = try row.decode("has_failed", as: Bool?.self) ?? false
            return known
        }
    }

    /// Records what a dead worker left open as unknown, if the lease is still held.
    ///
    /// - Returns: notes and operations whose outcome is unknown since this call.
    func adoptOrphanedIntents(of job: ClaimedJob) async throws -> [(noteID: String, operation: String)] {
        do {
            return try await pool.withTransaction { connection in
                let orphans = try await connection.query(.adoptOrphanedIntents(user: job.userID, lease: job.lease)).map
                {
                    row in
                    (
                        noteID: try row.decode("keep_note_id", as: String.self),
                        operation: try row.decode("operation", as: String.self)
                    )
                }
                try await connection.execute(.insertLogs(orphans.map(Self.line), job: job.id))
                try await connection.execute(.recordProgress(JobProgress(), job: job.id, lease: job.lease))
                return orphans
            }
        } catch let error as PostgresError where error.sqlState == .leaseLost {
            throw JobQueueError(.leaseLost, "The job was taken from this worker.")
        }
    }

    private static func line(of orphan: (noteID: String, operation: String)) -> LogLine {
        LogLine(
            level: .warning,
            message: "Unknown \(orphan.operation): an earlier worker ended before the answer came. "
                + "The page may or may not have been written.",
            noteID: orphan.noteID
        )
    }
}
