internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Gives jobs whose lease has run out to the queue again, at most `limit`; past its crash budget a job fails.
    ///
    /// Reads `sync_jobs_one_running`, which holds every running row and nothing else; there is no index on the expiry, so that
    /// a heartbeat stays a heap-only update. A running row without an expiry was set by hand: nobody runs it.
    ///
    /// Each row: `job_id`, `user_id`, `status`, `crashes`, `worker` (who held it) and `error`.
    static func rescue(limit: Int) -> PostgresQuery {
        .byIndex(
            """
            WITH expired AS MATERIALIZED (
                SELECT job_id, coalesce(worker, 'unknown') AS worker
                FROM sync_jobs
                WHERE status = 'running' AND (lease_expires_at IS NULL OR lease_expires_at < clock_timestamp())
                LIMIT \(limit)
                FOR NO KEY UPDATE SKIP LOCKED
            ), rescued AS (
                UPDATE sync_jobs AS j
                SET status = CASE WHEN j.crashes >= j.max_crashes THEN 'failed' ELSE 'queued' END,
                    crashes = j.crashes + 1,
                    attempt = greatest(j.attempt - 1, 0),
                    lease = NULL,
                    run_at = CASE WHEN j.crashes >= j.max_crashes THEN j.run_at
                                  ELSE clock_timestamp() + make_interval(secs => random() * least(60, power(2, j.crashes))) END,
                    last_error = format('Worker %s stopped answering while it ran this job.', e.worker),
                    error_message = CASE WHEN j.crashes >= j.max_crashes THEN format(
                        'Given up after %s workers died while running this job, the last of them %s. See their logs; '
                        'then set the job to queued to try again.', j.crashes + 1, e.worker) END
                FROM expired AS e
                WHERE j.job_id = e.job_id AND j.status = 'running'
                RETURNING j.job_id, j.user_id, j.status, j.crashes, e.worker, coalesce(j.error_message, j.last_error) AS error
            ), logged AS (
                INSERT INTO sync_logs (job_id, level, message)
                SELECT job_id, CASE WHEN status = 'failed' THEN 'ERROR' ELSE 'WARNING' END, error FROM rescued
            )
            SELECT job_id, user_id, status, crashes, worker, error FROM rescued
            """
        )
    }

    /// Brings back parked jobs of users who have none running and none due: a net under the triggers, which leave some only when
    /// waiting rows are changed or cancelled by hand. A job that waits for its time brings nobody back before it has run.
    ///
    /// Walks `sync_jobs_parked` from user to user, not over every parked job.
    static func unparkStranded() -> PostgresQuery {
        .byIndex(
            """
            WITH RECURSIVE parked_user AS (
                (SELECT user_id FROM sync_jobs WHERE status = 'queued' AND parked ORDER BY user_id LIMIT 1)
                UNION ALL
                SELECT (SELECT j.user_id FROM sync_jobs AS j
                        WHERE j.status = 'queued' AND j.parked AND j.user_id > p.user_id ORDER BY j.user_id LIMIT 1)
                FROM parked_user AS p
                WHERE p.user_id IS NOT NULL
            )
            SELECT sync_jobs_unpark_next(p.user_id)
            FROM parked_user AS p
            WHERE p.user_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM sync_jobs AS r WHERE r.user_id = p.user_id AND r.status = 'running')
                AND NOT EXISTS (SELECT FROM sync_jobs AS q
                                WHERE q.user_id = p.user_id AND q.status = 'queued' AND NOT q.parked AND q.run_at <= now())
            """
        )
    }
}
