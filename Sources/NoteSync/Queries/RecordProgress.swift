internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Writes a job's progress if the lease is still held, and locks the row until the transaction ends: nobody can take
    /// the job away between this and the commit. By primary key; a heap-only update.
    ///
    /// One row if the lease is held, none if not.
    static func recordProgress(_ progress: JobProgress, job: JobID, lease: Lease) -> PostgresQuery {
        """
        UPDATE sync_jobs
        SET total_notes = \(progress.total), processed_notes = \(progress.processed), failed_notes = \(progress.failed)
        WHERE job_id = \(job.rawValue) AND lease = \(lease.rawValue) AND status = 'running'
        RETURNING job_id
        """
    }
}
