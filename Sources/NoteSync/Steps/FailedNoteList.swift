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
}

/// The notes that could not be written, for an operator.
public struct FailedNotes: Sendable {
    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// All of them, or a user's, at most `limit`, those that failed last first.
    public func list(user: UserID? = nil, limit: Int) async throws -> [FailedNote] {
        try await pool.query(.failedNotes(user: user, limit: limit)).map { row in
            FailedNote(
                userID: UserID(try row.decode("user_id")),
                noteID: try row.decode("keep_note_id"),
                code: try row.decode("code"),
                error: try row.decode("error"),
                failures: try row.decode("failures"),
                firstFailedAt: try row.decode("first_failed_at"),
                lastFailedAt: try row.decode("last_failed_at"),
                jobID: JobID(try row.decode("job_id", as: UUID.self)),
                isWithheld: try row.decode("is_withheld")
            )
        }
    }

    /// Lets the user's next sync send what was refused, or left for later, though it has not changed: whatever refused it was
    /// mended.
    ///
    /// - Parameter note: nil for all of the user.
    /// - Returns: how many notes there were.
    public func release(user: UserID, note: String? = nil) async throws -> Int {
        try await pool.execute(.releaseFailures(of: user, note: note))
    }
}
