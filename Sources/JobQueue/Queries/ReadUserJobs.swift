internal import Postgres

extension PostgresQuery {
    /// How a user's jobs stand, among the newest `scanned` of them. By `sync_jobs_user_recent`.
    ///
    /// One row: `is_partial`, whether the user may have more; `queued`, how many are; `next` (the queued one that is
    /// due first), `running`, `completed` and `failed` (the last to end so), each a job or NULL.
    static func jobs(of user: UserID, scanned: Int) -> PostgresQuery {
        .byIndex(
            """
            WITH recent AS MATERIALIZED (
                SELECT job_id, status, run_at, completed_at FROM sync_jobs
                WHERE user_id = \(user.rawValue) ORDER BY created_at DESC, job_id DESC LIMIT \(scanned)
            )
            SELECT (SELECT count(*) FROM recent) >= \(scanned) AS is_partial,
                (SELECT count(*) FROM recent WHERE status = 'queued') AS queued,
                (SELECT job_id FROM recent WHERE status = 'queued' ORDER BY run_at, job_id LIMIT 1) AS next,
                (SELECT job_id FROM recent WHERE status = 'running' LIMIT 1) AS running,
                (SELECT job_id FROM recent WHERE status = 'completed' ORDER BY completed_at DESC NULLS LAST LIMIT 1) AS completed,
                (SELECT job_id FROM recent WHERE status = 'failed' ORDER BY completed_at DESC NULLS LAST LIMIT 1) AS failed
            """
        )
    }
}
