public import Foundation
internal import Postgres

/// How a user's jobs stand.
public struct UserJobs: Sendable {
    /// Queued jobs, among the newest ``mostRead``.
    public let queued: Int
    /// The queued job that is due first.
    public let next: JobRecord?
    public let running: JobRecord?
    /// The last job that completed.
    public let lastCompleted: JobRecord?
    /// The last job that failed.
    public let lastFailed: JobRecord?

    /// Whether the user has more jobs than were read.
    public let isPartial: Bool
    /// Jobs of the user that are read at most, the newest.
    public static let mostRead = 5000

    /// Until when the user's edits are in Notion, notes that failed apart: what was edited before the last job that
    /// completed began. nil: none is on record.
    public var isFreshAsOf: Date? { lastCompleted.flatMap { $0.startedAt ?? $0.completedAt } }
}

extension JobClient {
    /// How a user's jobs stand.
    ///
    /// - Throws: `PostgresError`.
    public func jobs(of user: UserID) async throws -> UserJobs {
        let row = try await pool.query(.jobs(of: user, scanned: UserJobs.mostRead)).first
        func record(_ column: String) async throws -> JobRecord? {
            guard let id = try row?.decode(column, as: UUID?.self) ?? nil else { return nil }
            return try await job(JobID(id))
        }
        return UserJobs(
            queued: try row?.decode("queued") ?? 0,
            next: try await record("next"),
            running: try await record("running"),
            lastCompleted: try await record("completed"),
            lastFailed: try await record("failed"),
            isPartial: try row?.decode("is_partial") ?? false
        )
    }
}
