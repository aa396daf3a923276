internal import Postgres

extension PostgresQuery {
    /// Cancels a job that has not ended, and says so in its log. By primary key. The row's trigger tells its worker. A
    /// status that no worker knows is no end.
    static func cancel(_ id: JobID) -> PostgresQuery {
        """
        WITH cancelled AS (
            UPDATE sync_jobs SET status = 'cancelled'
            WHERE job_id = \(id.rawValue) AND status NOT IN ('completed', 'failed', 'cancelled')
            RETURNING job_id
        ), logged AS (
            INSERT INTO sync_logs (job_id, level, message)
            SELECT job_id, 'WARNING', 'Cancelled by an operator.' FROM cancelled
        )
        SELECT job_id FROM cancelled
        """
    }

    /// Puts an ended job into the queue again, or makes a waiting one due, after the delay, by primary key.
    static func retry(_ id: JobID, dueIn delay: Duration) -> PostgresQuery {
        """
        UPDATE sync_jobs SET status = 'queued', run_at = now() + make_interval(secs => \(delay.seconds))
        WHERE job_id = \(id.rawValue) AND status <> 'running'
        RETURNING job_id
        """
    }
}
