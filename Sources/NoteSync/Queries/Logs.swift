internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Keeps a job from being deleted until the transaction ends: what a line of its log does too, but before the rows
    /// of notes are locked. By primary key.
    static func keepJob(_ id: JobID) -> PostgresQuery {
        .byIndexGivingWay("SELECT FROM sync_jobs WHERE job_id = \(id.rawValue) FOR KEY SHARE")
    }

    /// Says in a job's log that it waits for a gate, as the function's comment in 0004_note_sync.sql says. By primary
    /// key and the index of `sync_logs` by job.
    static func logWait(for gate: String, reason: String, job: ClaimedJob) -> PostgresQuery {
        .byIndexGivingWay(
            "SELECT sync_log_wait(\(job.id.rawValue), \(job.lease.rawValue), \(gate), \(reason))"
        )
    }

    /// Adds lines to a job's log, in their order.
    static func insertLogs(_ lines: [LogLine], job: JobID) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_logs (job_id, keep_note_id, level, message)
            SELECT \(job.rawValue), note_id, level, message
            FROM unnest(\(lines.map(\.noteID)), \(lines.map(\.level.rawValue)), \(lines.map(\.message)))
                WITH ORDINALITY AS new (note_id, level, message, position)
            ORDER BY position
            """
        )
    }
}
