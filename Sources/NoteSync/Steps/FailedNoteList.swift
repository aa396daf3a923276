public import Foundation
public import JobQueue
public import Postgres

/// A note that could not be written.
public struct FailedNote: Sendable {
    public let userID: UserID
    public let noteID: String
    public let code: String
    /// Why, without the note's text.
    public let error: String
    /// How often.
    public let failures: Int
    public let firstFailedAt: Date
    public let lastFailedAt: Date
    public let jobID: JobID
    /// Whether no sync sends it again until its content has changed.
    public let isWithheld: Bool
    /// Whether a write of it is open: under way, or of unknown outcome.
    public let hasOpenWrite: Bool
    /// Whether an operator has said that a next sync is to send that write again.
    public let isWriteRetried: Bool

    /// Whether it is on the list because of a write of unknown outcome.
    public var waitsForWrite: Bool { ["held", "unknownCreate", "unknownUpdate"].contains(code) }
    /// Whether that write has been settled since: the next sync asks for the note.
    public var isSettled: Bool { waitsForWrite && !hasOpenWrite }
}

/// How many notes of a user could not be written.
public struct FailedNoteCount: Sendable {
    public let all: Int
    /// Of them, those that have an open write.
    public let waiting: Int
}

/// The notes that could not be written, for an operator.
public struct FailedNotes: Sendable {
    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// All of them, or a user's or a note's, at most `limit`, those that failed last first.
    public func list(user: UserID? = nil, note: String? = nil, limit: Int) async throws -> [FailedNote] {
        try await pool.query(.failedNotes(user: user, note: note, limit: limit)).map { row in
            FailedNote(
                userID: UserID(try row.decode("user_id")),
                noteID: try row.decode("keep_note_id"),
                code: try row.decode("code"),
                error: try row.decode("error"),
                failures: try row.decode("failures"),
                firstFailedAt: try row.decode("first_failed_at"),
                lastFailedAt: try row.decode("last_failed_at"),
                jobID: JobID(try row.decode("job_id", as: UUID.self)),
                isWithheld: try row.decode("is_withheld"),
                hasOpenWrite: try row.decode("has_open_write"),
                isWriteRetried: try row.decode("is_write_retried")
            )
        }
    }

    /// How many there are of a user.
    ///
    /// - Parameter note: nil for all of the user.
    public func count(user: UserID, note: String? = nil) async throws -> FailedNoteCount {
        let row = try await pool.query(.countFailures(of: user, note: note)).first
        return FailedNoteCount(all: try row?.decode("count") ?? 0, waiting: try row?.decode("waiting") ?? 0)
    }

    /// Lets the user's next sync send what was refused, or left for later, though it has not changed: whatever refused
    /// it was mended.
    ///
    /// - Parameter note: nil for all of the user.
    /// - Returns: how many notes there were.
    public func release(user: UserID, note: String? = nil) async throws -> Int {
        try await pool.execute(.releaseFailures(of: user, note: note))
    }
}
