internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// A job by its identifier, by primary key.
    static func job(_ id: JobID) -> PostgresQuery {
        var query = jobColumns(texts: longText)
        query.appendLiteral(" WHERE job_id = ")
        query.appendInterpolation(id.rawValue)
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    /// Jobs, the newest first; a filter that is nil matches all.
    ///
    /// With a user the index `(user_id, created_at DESC)` serves it, else `sync_jobs_recent`, and for failed and
    /// cancelled ones `sync_jobs_unsuccessful`. Each set of filters is a statement of its own: one for all of them has
    /// one plan for all of them. A known status stands in it as it is, because the plan has to know it.
    static func jobs(
        user: UserID? = nil,
        status: JobStatus? = nil,
        after cursor: JobCursor? = nil,
        limit: Int
    ) -> PostgresQuery {
        var query = jobColumns(texts: shortText)
        query.appendLiteral(" WHERE true")
        if let user {
            query.appendLiteral(" AND user_id = ")
            query.appendInterpolation(user.rawValue)
        }
        if case .unknown(let word) = status {
            query.appendLiteral(" AND status = ")
            query.appendInterpolation(word)
        } else if let status {
            query.appendLiteral(" AND status = '\(status.rawValue)'")
        }
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

    /// Jobs that failed for good no longer ago than `age` because their attempts were used up: what ends a job at once
    /// leaves some. The oldest first, at most `limit`. By `sync_jobs_unsuccessful`.
    ///
    /// Each row: `job_id`.
    static func exhaustedJobs(age: Duration, limit: Int) -> PostgresQuery {
        """
        SELECT job_id FROM sync_jobs
        WHERE failed_at > now() - make_interval(secs => \(age.seconds)) AND status = 'failed' AND attempt >= max_attempts
        ORDER BY failed_at LIMIT \(limit)
        """
    }

    /// The newest jobs with a status among the newest `scanned`, at most `limit`, in no order: whatever else is
    /// there, it reads no more. By `sync_jobs_recent`, then primary key.
    static func recentJobs(status: JobStatus, scanned: Int, limit: Int) -> PostgresQuery {
        var query = jobColumns(texts: shortText)
        query.appendLiteral(
            """
             WHERE job_id = ANY (ARRAY(
                SELECT job_id FROM (
                    SELECT job_id, status FROM sync_jobs ORDER BY created_at DESC, job_id DESC LIMIT \(scanned)
                ) AS recent
                WHERE status = '\(status.rawValue)' LIMIT \(limit)))
            """
        )
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    /// Jobs that workers hold, at most `limit`, in no order. By `sync_queue_running`, then primary key.
    static func heldJobs(limit: Int) -> PostgresQuery {
        var query = jobColumns(texts: shortText)
        query.appendLiteral(
            """
             WHERE job_id = ANY (ARRAY(SELECT job_id FROM sync_queue WHERE lease IS NOT NULL LIMIT \(limit)))
                AND status = 'running'
            """
        )
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    /// Characters that are read of a text, however long it is: of a single job as many as it can have been written
    /// with (BOUNDS in 0002_job_queue.sql), in lists so many that the whole list stays small.
    private static let longText: Int32 = 16_384
    private static let shortText: Int32 = 1000

    private static func jobColumns(texts length: Int32) -> StringInterpolation {
        var query = StringInterpolation(literalCapacity: 1000, interpolationCount: 4)
        query.appendLiteral(
            """
            SELECT job_id, user_id, status, coalesce(full_sync, false) AS full_sync, coalesce(total_notes, 0) AS total_notes,
                coalesce(processed_notes, 0) AS processed_notes, coalesce(failed_notes, 0) AS failed_notes,
                left(error_message, \(length)) AS error_message, left(last_error, \(length)) AS last_error, created_at,
                completed_at, run_at, started_at, attempt, max_attempts, crashes, snoozes, priority::int AS priority,
                left(worker, 255) AS worker
            FROM sync_jobs
            """
        )
        return query
    }

    /// The newest `limit` lines of a job's log, oldest first, by the index on the job.
    static func logs(of id: JobID, limit: Int) -> PostgresQuery {
        """
        SELECT created_at, level, message, keep_note_id FROM (
            SELECT id, created_at, level, left(message, \(shortText)) AS message, keep_note_id FROM sync_logs
            WHERE job_id = \(id.rawValue)
            ORDER BY id DESC
            LIMIT \(limit)
        ) AS newest
        ORDER BY id
        """
    }
}
