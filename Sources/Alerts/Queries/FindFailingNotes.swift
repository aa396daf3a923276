internal import Postgres

extension PostgresQuery {
    /// Users of whose last ended job more than `share` of the notes failed although it completed. Looks at the users of
    /// the latest jobs, by `sync_jobs_recent`, and at those already told of; each user's last job by
    /// `sync_jobs_user_recent`.
    ///
    /// One row: `count`, `users` (up to ten), `job_id` (the latest), `error` (of all their notes), `since`.
    static func findFailingNotes(share: Double, limit: Int) -> PostgresQuery {
        """
        WITH candidate AS MATERIALIZED (
            SELECT DISTINCT user_id FROM (
                SELECT user_id, status, failed_notes, total_notes FROM sync_jobs
                ORDER BY created_at DESC, job_id DESC LIMIT \(limit)
            ) AS recent
            WHERE status = 'completed' AND failed_notes > total_notes * \(share)
            UNION
            SELECT unnest(users) FROM sync_alerts WHERE resolved_at IS NULL AND kind = 'notes_failing'
        ), failing AS (
            SELECT c.user_id, j.job_id, j.failed_notes, j.total_notes, j.completed_at
            FROM candidate AS c
            CROSS JOIN LATERAL (
                SELECT s.job_id, s.status, s.failed_notes, s.total_notes, s.completed_at FROM sync_jobs AS s
                WHERE s.user_id = c.user_id AND s.status IN ('completed', 'failed')
                ORDER BY s.created_at DESC LIMIT 1
            ) AS j
            WHERE j.status = 'completed' AND j.failed_notes > j.total_notes * \(share)
        )
        SELECT count(*) AS count, min(completed_at) AT TIME ZONE 'UTC' AS since,
            coalesce((array_agg(user_id::text ORDER BY completed_at DESC))[1:10], '{}') AS users,
            (array_agg(job_id ORDER BY completed_at DESC))[1] AS job_id,
            format('%s of %s %s failed.', sum(failed_notes), sum(total_notes),
                CASE sum(total_notes) WHEN 1 THEN 'note' ELSE 'notes' END) AS error
        FROM failing
        """
    }
}
