internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Users with credentials who have had no completed job for so long, but for those that an operator has paused,
    /// with all others or alone.
    /// Each user's jobs by `sync_jobs_user_recent`; who has none yet is counted from when the credentials were stored.
    ///
    /// One row: `count`, `users` (up to ten, the longest without first), `since`.
    static func findUnsyncedUsers(after limit: Duration) -> PostgresQuery {
        """
        SELECT count(*) AS count, min(u.since) AT TIME ZONE 'UTC' AS since,
            coalesce((array_agg(u.user_id::text ORDER BY u.since))[1:10], '{}') AS users
        FROM (
            SELECT c.user_id, coalesce(j.completed_at, c.updated_at) AS since
            FROM credentials AS c
            LEFT JOIN LATERAL (
                SELECT s.completed_at FROM sync_jobs AS s
                WHERE s.user_id = c.user_id AND s.status = 'completed'
                ORDER BY s.created_at DESC LIMIT 1
            ) AS j ON true
            WHERE NOT EXISTS (
                SELECT FROM sync_pauses AS p
                WHERE (p.scope <> 'user' OR p.key = c.user_id) AND (p.paused_until IS NULL OR p.paused_until > clock_timestamp()))
        ) AS u
        WHERE u.since < timezone('utc', now()) - make_interval(secs => \(limit.seconds))
        """
    }
}
