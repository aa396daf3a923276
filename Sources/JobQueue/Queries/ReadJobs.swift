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

    /// Of each of some jobs, the identifiers before and after its own in the order of all. By primary key.
    ///
    /// Each row: `job_id`, `previous` and `next`, NULL at the ends.
    static func neighbours(of ids: [JobID]) -> PostgresQuery {
        .byIndex(
            """
            SELECT w.id AS job_id,
                (SELECT j.job_id FROM sync_jobs AS j WHERE j.job_id < w.id ORDER BY j.job_id DESC LIMIT 1) AS previous,
                (SELECT j.job_id FROM sync_jobs AS j WHERE j.job_id > w.id ORDER BY j.job_id LIMIT 1) AS next
            FROM unnest(\(ids.map(\.rawValue))) AS w (id)
            """
        )
    }

    /// The keys of the causes of jobs that failed, see ``JobFilter/cause``. By primary key.
    ///
    /// Each row: `job_id`, `cause`.
    static func causes(of ids: [JobID]) -> PostgresQuery {
        .byIndex(
            """
            SELECT j.job_id, sync_alert_cause(left(coalesce(j.error_message, j.last_error), 2000), j.user_id) AS cause
            FROM sync_jobs AS j WHERE j.job_id = ANY (\(ids.map(\.rawValue))) AND j.status = 'failed'
            """
        )
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
    static let shortText: Int32 = 1000

    /// The columns of a ``JobRecord``, up to FROM.
    static func jobColumns(texts length: Int32) -> String { "\(jobSelection(texts: length)) FROM sync_jobs\n" }

    /// The same without the table.
    static func jobSelection(texts length: Int32) -> String {
        """
        SELECT job_id, user_id, status, coalesce(full_sync, false) AS full_sync, coalesce(total_notes, 0) AS total_notes,
            coalesce(processed_notes, 0) AS processed_notes, coalesce(failed_notes, 0) AS failed_notes,
            left(error_message, \(length)) AS error_message, left(last_error, \(length)) AS last_error, last_error_at,
            created_at, completed_at, run_at, started_at, attempt, max_attempts, crashes, snoozes, priority::int AS priority,
            left(worker, 255) AS worker
        """
    }
}
