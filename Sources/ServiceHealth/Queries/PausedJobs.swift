/// What a pause keeps from running, in statements about jobs that are due. They begin with a query `pauses`.
enum PausedJobs {
    /// One row: `is_all`, whether all jobs are paused; `are_users`, whether those of any user are. By primary key.
    static let overview = """
        SELECT EXISTS (SELECT FROM sync_pauses
                       WHERE scope = ANY ('{all,peer}') AND (paused_until IS NULL OR paused_until > now())) AS is_all,
            EXISTS (SELECT FROM sync_pauses
                    WHERE scope = 'user' AND (paused_until IS NULL OR paused_until > now())) AS are_users
        """

    /// Whether the user of a job `q` is not paused, or the job forced.
    static let passes = """
        (q.is_forced OR NOT (SELECT are_users FROM pauses) OR NOT EXISTS (
            SELECT FROM sync_pauses AS p
            WHERE p.scope = 'user' AND p.key = q.user_id AND (p.paused_until IS NULL OR p.paused_until > now())))
        """

    /// Whether the user of a job `q` is paused; NULL: no. A look-up for each job, however many users are paused.
    static let isOfPausedUser = """
        (SELECT true FROM sync_pauses AS p
         WHERE p.scope = 'user' AND p.key = q.user_id AND (p.paused_until IS NULL OR p.paused_until > now()) LIMIT 1)
        """

    /// The jobs that are due while all are paused.
    static func forced(columns: String, limit: Int) -> String {
        """
        (SELECT \(columns) FROM sync_queue
         WHERE is_forced AND lease IS NULL AND NOT is_parked AND run_at <= now() AND (SELECT is_all FROM pauses)
         LIMIT \(limit))
        """
    }
}
