import JobQueue
import Postgres

extension PostgresQuery {
    /// Inserts a job as the gateway does; a row that is there already stays as it is. By primary key.
    ///
    /// One row if there was none: `job_id`.
    static func enqueue(_ start: StartRequest) -> PostgresQuery {
        """
        INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes, error_message,
            completed_at)
        VALUES (\(start.job.rawValue), \(start.user.rawValue), 'queued', \(start.isFullSync), 0, 0, 0, NULL, NULL)
        ON CONFLICT (job_id) DO NOTHING
        RETURNING job_id
        """
    }

    /// Cancels a job that has not ended, and says so in its log. By primary key.
    ///
    /// One row if it was cancelled: `job_id`.
    static func cancelAsCalled(_ job: JobID) -> PostgresQuery {
        """
        WITH cancelled AS (
            UPDATE sync_jobs
            SET status = 'cancelled', error_message = 'Job cancelled by user',
                completed_at = timezone('utc', clock_timestamp())
            WHERE job_id = \(job.rawValue) AND status NOT IN ('completed', 'failed', 'cancelled')
            RETURNING job_id
        ), logged AS (
            INSERT INTO sync_logs (job_id, level, message)
            SELECT job_id, 'WARNING', 'Sync job cancelled by user' FROM cancelled
        )
        SELECT job_id FROM cancelled
        """
    }
}
