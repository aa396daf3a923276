internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Writes a job's progress if the lease is still held, and locks the row until the transaction ends: nobody can
    /// take the job away between this and the commit. By primary key; a heap-only update. It comes last in a
    /// transaction that has locked the rows of notes, and that waits for each lock less long than `deadlock_timeout`.
    ///
    /// Fails with `leaseLost` if it is not held, which undoes what was done before it in the same transaction:
    /// statements that are sent together with this one need not wait for its answer. So it does for a transaction that
    /// arrives after its successor, because its connection had gone silent and it was tried again on another: what it
    /// says is out of date. And for one whose predecessor, whose commit the worker knows of, is missing: a server has
    /// taken over that had not received it, and what follows, such as the cursor, relies on it.
    ///
    /// A statement, as a function costs more to call than this takes; one is called only to fail.
    ///
    /// Its row: `now`, the server's time.
    static func recordProgress(_ progress: JobProgress, job: JobID, lease: Lease) -> PostgresQuery {
        .byIndexGivingWay(
            """
            WITH held AS (
                UPDATE sync_jobs
                SET total_notes = \(Int32(clamping: progress.total)), processed_notes = \(Int32(clamping: progress.processed)),
                    failed_notes = \(Int32(clamping: progress.failed)), last_write = \(progress.transaction)
                WHERE job_id = \(job.rawValue) AND lease = \(lease.rawValue)
                    AND last_write >= \(progress.committed) AND last_write < \(progress.transaction)
                RETURNING true AS is_held
            )
            SELECT coalesce((SELECT is_held FROM held), sync_lease_is_lost(\(job.rawValue))) AS is_held, clock_timestamp() AS now
            """
        )
    }
}

extension SQLState {
    /// Raised by `sync_lease_is_lost`.
    static let leaseLost = SQLState(rawValue: "SY001")
}
