internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Which conditions of a claim some jobs meet now, each by itself, see ``ClaimCondition``. Locks nothing.
    ///
    /// The record by primary key, its queue row by the index that it is in, which the record tells, pauses by
    /// `sync_pauses_pkey`, what runs by `sync_queue_running`. An earlier job of the user, which a claim takes in its
    /// place, is looked for among the newest thousand records of the user by `sync_jobs_user_recent`, and its
    /// queue row by `sync_queue_claim`. Reads `pg_locks` once.
    ///
    /// A row for each that there is: `job_id`; `status`; `has_entry`, whether it has a queue row; `is_queued`,
    /// `is_listed`, `is_due`, `is_parked`, `is_forced`, `is_open`, `is_user_paused`; `record_locker`, `entry_locker`
    /// (process ids, 0 for a prepared transaction, or NULL); `ahead` (the job that is taken before it, or NULL); and of
    /// the job of its user that runs, which may be itself: `running`, `lease_ends_at`, `is_lease_over`, `holder` (the
    /// instance of its worker), all NULL if there is none.
    static func claimConditions(of ids: [JobID]) -> PostgresQuery {
        .byIndex(
            """
            WITH locks AS MATERIALIZED (\(ClaimCondition.runningTransactions))
            SELECT j.job_id, j.status, q.job_id IS NOT NULL AS has_entry, \(ClaimCondition.isQueued) AS is_queued,
                coalesce(\(ClaimCondition.isListed), false) AS is_listed, coalesce(\(ClaimCondition.isDue), false) AS is_due,
                coalesce(q.is_parked, false) AS is_parked, coalesce(q.is_forced, false) AS is_forced,
                \(ClaimCondition.isQueueOpen) AS is_open, coalesce((\(ClaimCondition.userPause)), false) AS is_user_paused,
                \(ClaimCondition.recordLocker) AS record_locker, \(ClaimCondition.entryLocker) AS entry_locker,
                ahead.job_id AS ahead, running.job_id AS running, running.lease_expires_at AS lease_ends_at,
                running.lease_expires_at < clock_timestamp() AS is_lease_over, holder.instance AS holder
            FROM sync_jobs AS j
            LEFT JOIN LATERAL (
                SELECT s.* FROM (
                    SELECT q.job_id, q.user_id, q.priority, q.run_at, q.lease, q.is_parked, q.is_forced, q.xmax AS locker
                    FROM sync_queue AS q
                    WHERE q.priority = j.priority AND q.run_at = j.run_at AND q.job_id = j.job_id AND \(ClaimCondition.isListed)
                    UNION ALL
                    SELECT q.job_id, q.user_id, q.priority, q.run_at, q.lease, q.is_parked, q.is_forced, q.xmax
                    FROM sync_queue AS q
                    WHERE q.user_id = j.user_id AND q.priority = j.priority AND q.run_at = j.run_at AND q.job_id = j.job_id
                        AND q.is_parked
                    UNION ALL
                    SELECT q.job_id, q.user_id, q.priority, q.run_at, q.lease, q.is_parked, q.is_forced, q.xmax
                    FROM sync_queue AS q
                    WHERE q.user_id = j.user_id AND q.job_id = j.job_id AND q.lease IS NOT NULL
                ) AS s
                LIMIT 1
            ) AS q ON true
            LEFT JOIN LATERAL (
                SELECT r.job_id, r.lease, r.lease_expires_at \(ClaimCondition.runningJob)
            ) AS running ON true
            LEFT JOIN LATERAL (
                SELECT w.instance
                FROM (SELECT h.worker FROM sync_jobs AS h WHERE h.job_id = running.job_id LIMIT 1) AS h
                JOIN sync_workers AS w ON w.worker = h.worker AND w.first_lease <= running.lease
                ORDER BY w.first_lease DESC LIMIT 1
            ) AS holder ON true
            LEFT JOIN LATERAL (\(earlierJob)) AS ahead ON true
            WHERE j.job_id = ANY (\(ids.map(\.rawValue)))
            """
        )
    }

    /// The first job of the user that a claim takes before the job with the queue row `q`, as it is due, listed, not
    /// paused and not locked, and comes first in the queue's order.
    private static let earlierJob: PostgresFragment = """
        SELECT q.job_id
        FROM (SELECT q.user_id, q.priority, q.run_at, q.job_id WHERE \(ClaimCondition.isListed) AND \(ClaimCondition.isDue)) AS this
        CROSS JOIN LATERAL (
            SELECT o.job_id, o.user_id, o.priority, o.run_at, o.status, o.xmax AS locker FROM sync_jobs AS o
            WHERE o.user_id = this.user_id ORDER BY o.created_at DESC, o.job_id DESC LIMIT 1000
        ) AS record
        CROSS JOIN LATERAL (SELECT record.status, record.locker AS xmax) AS j
        CROSS JOIN LATERAL (
            SELECT q.job_id, q.user_id, q.priority, q.run_at, q.is_forced, q.xmax AS locker FROM sync_queue AS q
            WHERE \(ClaimCondition.isQueued) AND q.priority = record.priority AND q.run_at = record.run_at
                AND q.job_id = record.job_id AND \(ClaimCondition.isListed) AND \(ClaimCondition.isDue)
                AND (q.priority, q.run_at, q.job_id) < (this.priority, this.run_at, this.job_id)
            LIMIT 1
        ) AS q
        WHERE (q.is_forced OR \(ClaimCondition.isQueueOpen) AND (\(ClaimCondition.userPause)) IS NULL)
            AND \(ClaimCondition.recordLocker) IS NULL AND \(ClaimCondition.entryLocker) IS NULL
        ORDER BY q.priority, q.run_at, q.job_id LIMIT 1
        """

    /// What stands before a due job in the queue, counted up to `limit`, and how much has been done
    /// lately. By `sync_queue_claim`, of each priority up to the job's what is due, as a claim reads it, and
    /// `sync_throughput_pkey`.
    ///
    /// One row: `ahead`; `ended`, jobs that ended in the last ten minutes.
    static func backlog(priority: Int16, runAt: Date, id: JobID, atMost limit: Int) -> PostgresQuery {
        .byIndex(
            """
            WITH RECURSIVE level AS (
                (SELECT q.priority FROM sync_queue AS q WHERE \(ClaimCondition.isListed)
                 ORDER BY q.priority, q.run_at, q.job_id LIMIT 1)
                UNION ALL
                SELECT (SELECT q.priority FROM sync_queue AS q
                        WHERE \(ClaimCondition.isListed) AND q.priority > l.priority
                        ORDER BY q.priority, q.run_at, q.job_id LIMIT 1)
                FROM level AS l WHERE l.priority IS NOT NULL
            ), ahead AS (
                SELECT FROM (SELECT priority FROM level WHERE priority <= \(priority) LIMIT 1000) AS l
                CROSS JOIN LATERAL (
                    SELECT FROM sync_queue AS q
                    WHERE \(ClaimCondition.isListed) AND q.priority = l.priority AND \(ClaimCondition.isDue)
                        AND (q.run_at, q.job_id) < (
                            CASE WHEN l.priority < \(priority) THEN 'infinity' ELSE \(runAt) END, \(id.rawValue))
                    ORDER BY q.run_at, q.job_id LIMIT \(limit)
                ) AS d
                LIMIT \(limit)
            )
            SELECT (SELECT count(*) FROM ahead) AS ahead,
                (SELECT coalesce(sum(t.completed + t.failed), 0)::bigint FROM sync_throughput AS t
                 WHERE t.minute > now() - interval '10 minutes') AS ended
            """
        )
    }

    /// A session of the server. What another role's session does is shown to members of that role and of
    /// `pg_read_all_stats` alone.
    ///
    /// A row, if there is such a session: a ``LockingSession``.
    static func session(_ processID: Int) -> PostgresQuery {
        """
        SELECT coalesce(a.usename, '')::text AS user_name, coalesce(a.application_name, '') AS application,
            coalesce(a.state, '') AS state, a.xact_start
        FROM pg_stat_activity AS a WHERE a.pid = \(processID)
        """
    }
}
