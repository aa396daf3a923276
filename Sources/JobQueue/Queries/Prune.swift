internal import Postgres

extension PostgresQuery {
    /// Deletes jobs finished longer ago than `retention`, with their logs, at most `limit`, oldest first.
    ///
    /// Reads `sync_jobs_finished`, from where the history of a replaced service ends if that is kept; logs by their index on
    /// the job.
    ///
    /// One row: `jobs`, `logs` deleted.
    static func prune(retention: Duration, keepsTakenOver: Bool, limit: Int) -> PostgresQuery {
        """
        WITH old AS MATERIALIZED (
            SELECT job_id FROM sync_jobs
            WHERE status IN ('completed', 'failed', 'cancelled')
                AND completed_at < timezone('utc', now()) - make_interval(secs => \(retention.seconds))
                AND completed_at > CASE WHEN \(keepsTakenOver)
                    THEN coalesce((SELECT max(history_until) FROM sync_takeovers), '-infinity') ELSE '-infinity' END
            ORDER BY completed_at
            LIMIT \(limit)
            FOR UPDATE SKIP LOCKED
        ), logs AS (
            DELETE FROM sync_logs WHERE job_id = ANY (ARRAY(SELECT job_id FROM old)) RETURNING 1
        ), jobs AS (
            DELETE FROM sync_jobs WHERE job_id = ANY (ARRAY(SELECT job_id FROM old)) RETURNING 1
        )
        SELECT (SELECT count(*) FROM jobs) AS jobs, (SELECT count(*) FROM logs) AS logs
        """
    }

    /// Forgets workers not seen for an hour: they were killed.
    static func pruneWorkers() -> PostgresQuery {
        "DELETE FROM sync_workers WHERE last_seen_at < now() - interval '1 hour'"
    }
}
