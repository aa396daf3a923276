internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Jobs that wait and have been put off for longer than a time, no attempt spent since. By `sync_queue_snoozed`.
    ///
    /// One row: `count`, `users` (up to ten), `since`.
    static func findSnoozedJobs(after limit: Duration) -> PostgresQuery {
        """
        SELECT count(*) AS count, min(snoozed_since) AS since,
            coalesce((array_agg(DISTINCT user_id::text))[1:10], '{}') AS users
        FROM sync_queue
        WHERE snoozed_since < clock_timestamp() - make_interval(secs => \(limit.seconds)) AND lease IS NULL
        """
    }
}
