internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Jobs that wait and have been snoozed for longer than a time, no attempt spent since, unless it is a pause that
    /// they wait for, or a gate that an operator has closed. By `sync_queue_snoozed`; gates by `sync_gates_pkey`.
    ///
    /// `closed_by` names a worker or the role of an operator: one that is a role of this server and no worker.
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
            AND NOT EXISTS (
                SELECT FROM sync_gates AS g
                WHERE g.gate = q.gate AND g.closed_until > clock_timestamp()
                    AND EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = g.closed_by)
                    AND NOT EXISTS (SELECT FROM sync_workers AS w WHERE w.worker = g.closed_by))
        """
    }
}
