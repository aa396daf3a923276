internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Writes a job's progress if the lease is still held, and locks the row until the transaction ends: nobody can
    /// take the job away between this and the commit. By primary key; a heap-only update.
    ///
    /// Fails with `leaseLost` if it is not held, if a transaction with a higher number has come before, or if one is
    /// missing that was committed: the server that had it is gone, and what follows relies on it. That undoes what was
    /// done before it in the same transaction.
    ///
    /// Its row: `now`, the server's time.
    static func recordProgress(_ progress: JobProgress, job: JobID, lease: Lease) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT sync_jobs_progress(
                \(job.rawValue), \(lease.rawValue), \(Int32(clamping: progress.total)), \(Int32(clamping: progress.processed)),
                \(Int32(clamping: progress.failed)), \(progress.committed), \(progress.transaction)
            ), clock_timestamp() AS now
            """
        )
    }
}

extension SQLState {
    /// Raised by `sync_jobs_progress`.
    static let leaseLost = SQLState(rawValue: "SY001")
}
