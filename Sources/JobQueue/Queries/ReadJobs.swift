internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// A job by its identifier, by primary key.
    static func job(_ id: JobID) -> PostgresQuery {
        var query = jobColumns
        query.appendLiteral(" WHERE job_id = ")
        query.appendInterpolation(id.rawValue)
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    /// Jobs, the newest first; a filter that is nil matches all.
    ///
    /// With a user the index `(user_id, created_at DESC)` serves it, else `sync_jobs_recent`, and for failed and cancelled ones
    /// `sync_jobs_unsuccessful`. Each set of filters is a statement of its own: one for all of them has one plan for all of
    /// them. The status stands in it as it is, because the plan has to know it.
    static func jobs(
        user: UserID? = nil,
        status: JobStatus? = nil,
        after cursor: JobCursor? = nil,
        limit: Int
    ) -> PostgresQuery {
        var query = jobColumns
        query.appendLiteral(" WHERE true")
        if let user {
            query.appendLiteral(" AND user_id = ")
            query.appendInterpolation(user.rawValue)
        }
        if let status { query.appendLiteral(" AND status = '\(status.rawValue)'") }
        if status == .failed || status == .cancelled { query.appendLiteral(" AND failed_at IS NOT NULL") }
        if let cursor {
            query.appendLiteral(" AND (created_at, job_id) < (timezone('utc', ")
            query.appendInterpolation(cursor.instant)
            query.appendLiteral("), ")
            query.appendInterpolation(cursor.id.rawValue)
            query.appendLiteral(")")
        }
        query.appendLiteral(" ORDER BY created_at DESC, job_id DESC LIMIT ")
        query.appendInterpolation(limit)
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    /// Jobs that failed for good no longer ago than `age` because their attempts were used up: what ends a job at once leaves some.
    /// The oldest first, at most `limit`. By `sync_jobs_unsuccessful`.
    ///
    /// Each row: `job_id`.
    static func exhaustedJobs(age: Duration, limit: Int) -> PostgresQuery {
        """
        SELECT job_id FROM sync_jobs
        WHERE failed_at > now() - make_interval(secs => \(age.seconds)) AND status = 'failed' AND attempt >= max_attempts
        ORDER BY failed_at LIMIT \(limit)
        """
    }

    private static var jobColumns: StringInterpolation {
        var query = StringInterpolation(literalCapacity: 1000, interpolationCount: 4)
        query.appendLiteral(
            """
            SELECT job_id, user_id, status, coalesce(full_sync, false) AS full_sync, coalesce(total_notes, 0) AS total_notes,
                coalesce(processed_notes, 0) AS processed_notes, coalesce(failed_notes, 0) AS failed_notes,
                error_message, last_error, created_at, completed_at, run_at, started_at, attempt, max_attempts, crashes,
                priority::int AS priority, worker
            FROM sync_jobs
            """
        )
        return query
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
