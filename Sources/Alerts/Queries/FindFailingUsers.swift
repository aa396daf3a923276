internal import Postgres

extension PostgresQuery {
    /// Users whose last `failures` jobs that were started all failed. What a take-over ended, or the service before it,
    /// was never started here and says nothing of a user. Looks at the users of the latest failed jobs, by
    /// `sync_jobs_unsuccessful`, and at those already told of; each user's jobs by `sync_jobs_user_recent`.
    ///
    /// A failure that hit five users or more is an outage's and no user's own: it is told of as such, and not once more
    /// for each of them. Alerts by `sync_alerts_open` and `sync_alerts_key`.
    ///
    /// Each row: `user_id`, `job_id`, `error` (of the last), `since`.
    static func findFailingUsers(failures: Int, limit: Int) -> PostgresQuery {
        """
        WITH candidate AS MATERIALIZED (
            SELECT DISTINCT user_id FROM (
                SELECT user_id FROM sync_jobs WHERE failed_at IS NOT NULL
                ORDER BY created_at DESC, job_id DESC LIMIT \(limit)
            ) AS recent
            UNION
            SELECT user_id FROM sync_alerts WHERE resolved_at IS NULL AND kind = 'user_failing' AND user_id IS NOT NULL
        ), latest AS (
            SELECT c.user_id, count(*) AS ended, bool_and(j.status = 'failed') AS all_failed,
                (array_agg(j.job_id ORDER BY j.created_at DESC))[1] AS job_id,
                (array_agg(coalesce(j.error_message, '') ORDER BY j.created_at DESC))[1] AS error,
                min(j.completed_at) AT TIME ZONE 'UTC' AS since, max(j.completed_at) AT TIME ZONE 'UTC' AS last_at
            FROM candidate AS c
            CROSS JOIN LATERAL (
                SELECT s.job_id, s.status, left(s.error_message, 2000) AS error_message, s.created_at, s.completed_at FROM sync_jobs AS s
                WHERE s.user_id = c.user_id AND s.status IN ('completed', 'failed')
                    AND s.started_at IS NOT NULL
                ORDER BY s.created_at DESC LIMIT \(failures)
            ) AS j
            GROUP BY c.user_id
        ), failing AS MATERIALIZED (
            -- Computed once for each, not once for each and every alert.
            SELECT *, 'job_failed:' || sync_alert_cause(error, user_id) AS cause_key
            FROM latest
            WHERE ended >= \(failures) AND all_failed
        )
        SELECT l.user_id, l.job_id, l.error, l.since
        FROM failing AS l
        WHERE (EXISTS (SELECT FROM sync_alerts AS o
                         WHERE o.resolved_at IS NULL AND o.key = 'user_failing:' || l.user_id)
                 OR NOT EXISTS (
                    SELECT FROM sync_alerts AS a
                    WHERE a.key = l.cause_key AND cardinality(a.users) >= 5
                        AND a.first_at - interval '1 minute' <= l.last_at AND a.last_at + interval '1 minute' >= l.last_at))
            -- What has just happened is first counted, then judged.
            AND NOT EXISTS (SELECT FROM sync_alert_events AS e WHERE e.user_id = l.user_id)
        ORDER BY l.user_id
        LIMIT \(limit)
        """
    }
}
