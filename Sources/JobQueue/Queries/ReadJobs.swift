internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Jobs, the newest first; a filter that is nil matches all.
    ///
    /// With an identifier the primary key serves it, with a user the index `(user_id, created_at DESC)`: the values are known
    /// when the statement is planned, so a filter that is NULL is gone from the plan. With neither it is `sync_jobs_recent`, and
    /// `sync_jobs_unsuccessful` for failed and cancelled ones.
    static func jobs(
        id: JobID? = nil,
        user: UserID? = nil,
        status: JobStatus? = nil,
        after cursor: JobCursor? = nil,
        limit: Int
    ) -> PostgresQuery {
        """
        SELECT job_id, user_id, status, coalesce(full_sync, false) AS full_sync, coalesce(total_notes, 0) AS total_notes,
            coalesce(processed_notes, 0) AS processed_notes, coalesce(failed_notes, 0) AS failed_notes,
            error_message, last_error, created_at, completed_at, run_at, started_at, attempt, max_attempts, crashes,
            priority::int AS priority, worker
        FROM sync_jobs
        WHERE (\(id?.rawValue)::uuid IS NULL OR job_id = \(id?.rawValue))
            AND (\(user?.rawValue)::text IS NULL OR user_id = \(user?.rawValue))
            AND (\(status?.rawValue)::text IS NULL OR status = \(status?.rawValue))
            AND (\(cursor?.microseconds)::int8 IS NULL OR (created_at, job_id) < (
                timestamp '1970-01-01' + \(cursor?.microseconds) * interval '1 microsecond', \(cursor?.id.rawValue)))
        ORDER BY created_at DESC, job_id DESC
        LIMIT \(limit)
        """
    }

    /// The newest `limit` lines of a job's log, oldest first, by the index on the job.
    static func logs(of id: JobID, limit: Int) -> PostgresQuery {
        """
        SELECT created_at, level, message, keep_note_id FROM (
            SELECT id, created_at, level, message, keep_note_id FROM sync_logs
            WHERE job_id = \(id.rawValue)
            ORDER BY id DESC
            LIMIT \(limit)
        ) AS newest
        ORDER BY id
        """
    }
}
