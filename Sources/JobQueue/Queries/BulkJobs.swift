internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Whether the user `u` has a job that runs, or that is queued among the user's newest hundred. By
    /// `sync_queue_running`, `sync_queue_parked` and `sync_jobs_user_recent`: what is queued and not parked has no index
    /// by its user, and is hardly ever older.
    private static let isBusy: PostgresFragment = """
        coalesce(
            (SELECT true FROM sync_queue AS r WHERE r.user_id = u.user_id AND r.lease IS NOT NULL LIMIT 1),
            (SELECT true FROM sync_queue AS p WHERE p.user_id = u.user_id AND p.is_parked
             ORDER BY p.priority, p.run_at, p.job_id LIMIT 1),
            (SELECT true FROM (
                SELECT o.status FROM sync_jobs AS o WHERE o.user_id = u.user_id
                ORDER BY o.created_at DESC, o.job_id DESC LIMIT 100) AS newest
             WHERE newest.status IN ('queued', 'running') LIMIT 1),
            false)
        """

    /// Of these users, those who have a job queued or running.
    ///
    /// Each row: `user_id`.
    static func busyUsers(among users: [UserID]) -> PostgresQuery {
        .byIndex(
            """
            SELECT u.user_id FROM unnest(\(users.map(\.rawValue))) AS u (user_id) WHERE \(isBusy)
            """
        )
    }

    /// Puts ended jobs into the queue again, each due after its delay, as `retry` does with one. Those that others have
    /// locked or changed are left as they are: the records are locked by primary key before anything is changed.
    ///
    /// - Parameters:
    ///   - statuses: a job with another has been changed since it was found.
    ///   - isOnePerUser: whether a job is left out whose user has another queued or running.
    /// Each row: `job_id`, `outcome`, a ``BulkOutcome``.
    static func retry(
        _ jobs: [(id: JobID, delay: Duration)],
        from statuses: [JobStatus],
        isOnePerUser: Bool
    ) -> PostgresQuery {
        .byIndex(
            """
            WITH wanted AS MATERIALIZED (
                SELECT w.id, w.delay, j.status, j.user_id
                FROM unnest(\(jobs.map(\.id.rawValue)), \(jobs.map(\.delay.seconds))) AS w (id, delay)
                LEFT JOIN LATERAL (SELECT s.status, s.user_id FROM sync_jobs AS s WHERE s.job_id = w.id LIMIT 1) AS j ON true
            ), judged AS MATERIALIZED (
                SELECT u.id, u.delay, CASE
                    WHEN coalesce(u.status <> ALL (\(statuses.map(\.rawValue))), true) THEN 'changed'
                    WHEN \(isOnePerUser) AND \(isBusy) THEN 'busy' END AS fault
                FROM wanted AS u
            ), locked AS MATERIALIZED (
                SELECT l.place, f.delay FROM judged AS f
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place FROM sync_jobs AS j
                    WHERE f.fault IS NULL AND j.job_id = f.id AND j.status = ANY (\(statuses.map(\.rawValue)))
                    LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
                ) AS l
            ), retried AS (
                UPDATE sync_jobs AS j SET status = 'queued', run_at = now() + make_interval(secs => l.delay)
                FROM locked AS l WHERE j.ctid = l.place
                RETURNING j.job_id
            )
            SELECT f.id AS job_id, coalesce(f.fault, CASE WHEN r.job_id IS NULL THEN 'locked' ELSE 'done' END) AS outcome
            FROM judged AS f LEFT JOIN retried AS r ON r.job_id = f.id
            """
        )
    }

    /// Cancels jobs that have not ended, as `cancel` does with one, each with a line in its log. Those that others have
    /// locked or changed are left as they are: the records are locked by primary key before anything is changed.
    ///
    /// - Parameter statuses: a job with another has been changed since it was found.
    /// Each row: `job_id`, `outcome`, a ``BulkOutcome``.
    static func cancel(_ jobs: [JobID], from statuses: [JobStatus]) -> PostgresQuery {
        .byIndex(
            """
            WITH judged AS MATERIALIZED (
                SELECT w.id, CASE WHEN coalesce(j.status <> ALL (\(statuses.map(\.rawValue))), true) THEN 'changed' END AS fault
                FROM unnest(\(jobs.map(\.rawValue))) AS w (id)
                LEFT JOIN LATERAL (SELECT s.status FROM sync_jobs AS s WHERE s.job_id = w.id LIMIT 1) AS j ON true
            ), locked AS MATERIALIZED (
                SELECT l.place FROM judged AS f
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place FROM sync_jobs AS j
                    WHERE f.fault IS NULL AND j.job_id = f.id AND j.status = ANY (\(statuses.map(\.rawValue)))
                    LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
                ) AS l
            ), cancelled AS (
                UPDATE sync_jobs AS j SET status = 'cancelled' FROM locked AS l WHERE j.ctid = l.place
                RETURNING j.job_id
            ), logged AS (
                INSERT INTO sync_logs (job_id, level, message)
                SELECT job_id, 'WARNING', 'Cancelled by an operator.' FROM cancelled
            )
            SELECT f.id AS job_id, coalesce(f.fault, CASE WHEN c.job_id IS NULL THEN 'locked' ELSE 'done' END) AS outcome
            FROM judged AS f LEFT JOIN cancelled AS c ON c.job_id = f.id
            """
        )
    }
}
