public import Foundation
public import Postgres

/// What was done when the tables of the replaced service were taken over.
public struct TakeOver: Sendable, Equatable {
    public let id: Int64
    /// Rows found, by table.
    public let jobs: Int
    public let states: Int
    public let credentials: Int
    public let logs: Int
    /// Jobs marked failed that had been queued, and that had been running, for more than a day.
    public let failedQueued: Int
    public let failedRunning: Int
    /// When the oldest of them was created.
    public let oldestFailedAt: Date?
    /// Jobs of the last day that had been running and are queued again.
    public let requeued: Int
    /// Jobs that are queued after it, these among them.
    public let queued: Int

    init(_ row: PostgresRow) throws {
        id = try row.decode("id")
        jobs = try row.decode("jobs")
        states = try row.decode("states")
        credentials = try row.decode("credentials")
        logs = try row.decode("logs")
        failedQueued = try row.decode("failed_queued")
        failedRunning = try row.decode("failed_running")
        oldestFailedAt = try row.decode("oldest_failed_at")
        requeued = try row.decode("requeued")
        queued = try row.decode("queued")
    }
}

extension TakeOver {
    /// The last take-over; nil if there was none, or the tables are not there yet.
    public static func last(on pool: PostgresPool) async throws -> TakeOver? {
        do {
            return try await pool.query(.lastTakeOver()).first.map(TakeOver.init)
        } catch let error as PostgresError where error.sqlState == .undefinedTable {
            return nil
        }
    }

    /// Takes over what the replaced service has left since: it has run once more, after a rollback.
    ///
    /// - Returns: nil if the tables are empty.
    public static func again(on pool: PostgresPool) async throws -> TakeOver? {
        try await pool.withTransaction { connection in
            try await connection.execute(.limitLockWaits())
            let row = try await connection.query(.takeOver(), timeout: .none).first
            guard try row?.decode("id", as: Int64?.self) != nil else { return nil }
            return try await connection.query(.lastTakeOver()).first.map(TakeOver.init)
        }
    }
}
