internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// A job by its identifier, by primary key.
    static func job(_ id: JobID) -> PostgresQuery {
        var query = StringInterpolation(literalCapacity: 1000, interpolationCount: 1)
        query.appendLiteral(jobColumns(texts: longText))
        query.appendLiteral(" WHERE job_id = ")
        query.appendInterpolation(id.rawValue)
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    /// Jobs whose identifiers begin so, in their order, by primary key. Each row: `job_id`.
    static func jobs(beginningWith prefix: JobIDPrefix, limit: Int) -> PostgresQuery {
        .byIndex(
            """
            SELECT job_id FROM sync_jobs
            WHERE job_id BETWEEN \(prefix.first.rawValue) AND \(prefix.last.rawValue)
            ORDER BY job_id LIMIT \(limit)
            """
        )
    }

    /// Jobs, the newest first; a filter that is nil matches all.
    ///
    /// With a user `sync_jobs_user_recent` serves it, else `sync_jobs_recent`, and for failed and cancelled ones
    /// `sync_jobs_unsuccessful`. Each set of filters is a statement of its own: one for all of them has
    /// one plan for all of them. A known status stands in it as it is, because the plan has to know it.
    ///
    /// No index has the status, so a status that few jobs have is looked for in a stretch of `scanned` entries of that
    /// index: however rare it is, no more is read.
    ///
    /// Each row: where that stretch ends, `end_created_at` and `end_job_id`, NULLs if there is nothing behind it; then
    /// a job, or NULLs if there is none.
    static func jobs(
        user: UserID? = nil,
        status: JobStatus? = nil,
        after cursor: JobCursor? = nil,
        limit: Int,
        scanned: Int = 5000
    ) -> PostgresQuery {
        let list = JobList(user: user, status: status, cursor: cursor)
        var query = StringInterpolation(literalCapacity: 1500, interpolationCount: 10)
        query.appendLiteral("WITH stretch AS MATERIALIZED (")
        if status == nil {
            query.appendLiteral("SELECT NULL::timestamp AS created_at, NULL::uuid AS job_id")
        } else {
            query.appendLiteral("SELECT created_at, job_id FROM sync_jobs")
            list.appendFilter(to: &query)
            query.appendLiteral(" ORDER BY created_at DESC, job_id DESC OFFSET \(scanned - 1) LIMIT 1")
        }
        query.appendLiteral(
            """
            )
            SELECT (SELECT created_at FROM stretch) AS end_created_at, (SELECT job_id FROM stretch) AS end_job_id, found.*
            FROM (SELECT) AS always LEFT JOIN (
            """
        )
        query.appendLiteral(jobColumns(texts: shortText))
        list.appendFilter(to: &query)
        list.appendStatus(to: &query)
        query.appendLiteral(" ORDER BY created_at DESC, job_id DESC LIMIT ")
        query.appendInterpolation(limit)
        query.appendLiteral(") AS found ON true")
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    /// Which jobs a list shows.
    private struct JobList {
        let user: UserID?
        let status: JobStatus?
        let cursor: JobCursor?

        /// The conditions that an index serves.
        func appendFilter(to query: inout StringInterpolation) {
            query.appendLiteral(" WHERE true")
            if let user {
                query.appendLiteral(" AND user_id = ")
                query.appendInterpolation(user.rawValue)
            }
            if status == .failed || status == .cancelled { query.appendLiteral(" AND failed_at IS NOT NULL") }
            if let cursor {
                query.appendLiteral(" AND (created_at, job_id) < (timezone('utc', ")
                query.appendInterpolation(cursor.instant)
                query.appendLiteral("), ")
                query.appendInterpolation(cursor.id.rawValue)
                query.appendLiteral(")")
            }
        }

        /// The condition that none serves, and the end of the stretch that is read for it.
        func appendStatus(to query: inout StringInterpolation) {
            guard let status else { return }
            if case .unknown(let word) = status {
                query.appendLiteral(" AND status = ")
                query.appendInterpolation(word)
            } else {
                query.appendLiteral(" AND status = '\(status.rawValue)'")
            }
            query.appendLiteral(
                """
                 AND (created_at, job_id) >= (
                    coalesce((SELECT created_at FROM stretch), '-infinity'),
                    coalesce((SELECT job_id FROM stretch), '00000000-0000-0000-0000-000000000000'))
                """
            )
        }
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
        .byIndex(
            PostgresQuery(
                stringLiteral: jobColumns(texts: shortText) + """
                     WHERE job_id = ANY (ARRAY(
                        SELECT job_id FROM (
                            SELECT job_id, status FROM sync_jobs ORDER BY created_at DESC, job_id DESC LIMIT \(scanned)
                        ) AS recent
                        WHERE status = '\(status.rawValue)' LIMIT \(limit)))
                    """
            )
        )
    }

    /// Jobs that workers hold, at most `limit`, in no order. By `sync_queue_running`, then primary key.
    static func heldJobs(limit: Int) -> PostgresQuery {
        .byIndex(
            PostgresQuery(
                stringLiteral: jobColumns(texts: shortText) + """
                     WHERE job_id = ANY (ARRAY(SELECT job_id FROM sync_queue WHERE lease IS NOT NULL LIMIT \(limit)))
                        AND status = 'running'
                    """
            )
        )
    }

    /// Characters that are read of a text, however long it is: of a single job as many as it can have been written
    /// with (BOUNDS in 0002_job_queue.sql), in lists so many that the whole list stays small.
    private static let longText: Int32 = 16_384
    private static let shortText: Int32 = 1000

    private static func jobColumns(texts length: Int32) -> String {
        """
        SELECT job_id, user_id, status, coalesce(full_sync, false) AS full_sync, coalesce(total_notes, 0) AS total_notes,
            coalesce(processed_notes, 0) AS processed_notes, coalesce(failed_notes, 0) AS failed_notes,
            left(error_message, \(length)) AS error_message, left(last_error, \(length)) AS last_error, last_error_at,
            created_at, completed_at, run_at, started_at, attempt, max_attempts, crashes, snoozes, priority::int AS priority,
            left(worker, 255) AS worker
        FROM sync_jobs
        """
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
