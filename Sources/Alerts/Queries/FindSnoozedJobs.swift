internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Jobs that wait and have been snoozed for longer than a time, no attempt spent since, unless it is a pause that
    /// they wait for. By `sync_queue_snoozed`.
    ///
    /// One row: `count`, `users` (up to ten), `since`.
    static func findSnoozedJobs(after limit: Duration) -> PostgresQuery {
        """
        SELECT count(*) AS count, min(snoozed_since) AS since,
            coalesce((array_agg(DISTINCT user_id::text))[1:10], '{}') AS users
        FROM sync_queue AS q
        WHERE snoozed_since < clock_timestamp() - make_interval(secs => \(limit.seconds)) AND lease IS NULL
            AND (q.is_forced OR NOT EXISTS (
                SELECT FROM sync_pauses AS p
                WHERE (p.scope <> 'user' OR p.key = q.user_id) AND (p.paused_until IS NULL OR p.paused_until > clock_timestamp())))
        """
    }
}
