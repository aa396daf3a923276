public import Foundation
internal import Postgres

/// Why a queued job does not run: the first of what keeps it.
public enum JobHold: Sendable {
    /// It is paused, and not forced.
    case paused(Pause)
    /// It is snoozed until this gate may be open, or until a time.
    case gate(String, until: Date)
    /// It is due later: it has been enqueued for then, or waits for its next attempt.
    case due(Date)
    /// Another job of its user runs.
    case running(JobID)
    /// Nothing: it waits for a worker with a free slot, or behind another job of its user.
    case slot
}

extension JobHold {
    /// Reads a row of `hold`.
    init(_ row: PostgresRow) throws {
        if try row.decode("scope", as: String?.self) != nil {
            self = .paused(try Pause(row))
        } else if try row.decode("is_later") {
            let dueAt: Date = try row.decode("run_at")
            self = try row.decode("gate", as: String?.self).map { .gate($0, until: dueAt) } ?? .due(dueAt)
        } else if let running = try row.decode("running", as: UUID?.self) {
            self = .running(JobID(running))
        } else {
            self = .slot
        }
    }
}

extension JobClient {
    /// Why a job does not run; nil for one that is not queued.
    ///
    /// - Throws: `PostgresError`.
    public func hold(on id: JobID) async throws -> JobHold? {
        try await pool.query(.hold(on: id)).first.map(JobHold.init)
    }
}
