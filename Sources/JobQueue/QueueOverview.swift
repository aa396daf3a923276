public import Foundation
internal import Postgres

/// How much is queued, and what it waits for. Counts end at ``mostCounted``.
public struct QueueOverview: Sendable {
    /// Due, and neither claimed nor parked.
    public let due: Int
    /// When the job became due that has been for longest; nil: none is.
    public let oldestDueAt: Date?
    /// Due later.
    public let later: Int
    /// Of these, the ones that were put off for a gate.
    public let gated: Int
    /// Behind a running job of the same user, or of a paused one.
    public let parked: Int
    public let running: Int

    public static let mostCounted = 10_001
}

/// How many jobs end.
public struct JobRates: Sendable {
    /// Jobs that ended within a time.
    public struct Ended: Sendable {
        public let completed: Int
        public let failed: Int
    }

    /// In the last whole minute, as workers count with each heartbeat.
    public let minute: Ended
    public let tenMinutes: Ended
    public let hour: Ended
}

/// Jobs that failed of one cause.
public struct FailureCause: Sendable {
    /// As the key of the alert has it behind `job_failed:`.
    public let key: String
    public let count: Int
    public let users: Int
    public let latestAt: Date
    /// Of the latest.
    public let error: String
}

extension JobClient {
    /// How much is queued.
    ///
    /// - Throws: `PostgresError`.
    public func overview() async throws -> QueueOverview {
        let row = try await pool.query(.queueOverview(most: QueueOverview.mostCounted)).first
        return QueueOverview(
            due: try row?.decode("due") ?? 0,
            oldestDueAt: try row?.decode("oldest", as: Date?.self) ?? nil,
            later: try row?.decode("later") ?? 0,
            gated: try row?.decode("gated") ?? 0,
            parked: try row?.decode("parked") ?? 0,
            running: try row?.decode("running") ?? 0
        )
    }

    /// How many jobs end.
    ///
    /// - Throws: `PostgresError`.
    public func rates() async throws -> JobRates {
        let row = try await pool.query(.jobRates()).first
        func ended(_ minutes: Int) throws -> JobRates.Ended {
            JobRates.Ended(
                completed: try row?.decode("completed_\(minutes)") ?? 0,
                failed: try row?.decode("failed_\(minutes)") ?? 0
            )
        }
        return JobRates(minute: try ended(1), tenMinutes: try ended(10), hour: try ended(60))
    }

    /// The causes of jobs that failed no longer ago than `age`, the most frequent first; among the newest thousands of
    /// those that failed.
    ///
    /// - Throws: `PostgresError`.
    public func failureCauses(within age: Duration, limit: Int) async throws -> [FailureCause] {
        try await pool.query(.failureCauses(within: age, scanned: 2000, limit: limit)).map { row in
            FailureCause(
                key: try row.decode("cause"),
                count: try row.decode("count"),
                users: try row.decode("users"),
                latestAt: try row.decode("latest"),
                error: try row.decode("error")
            )
        }
    }
}
