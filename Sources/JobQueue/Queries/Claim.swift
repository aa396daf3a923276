internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Takes up to `slots` due jobs, one per user, in the queue's order.
    ///
    /// Reads `sync_jobs_claim`, at most `window` entries of it; `sync_jobs_one_running` tells the users who have a job
    /// running. Three things keep workers apart. SKIP LOCKED: no two look at one row. The advisory lock on the user, held to
    /// the end of this statement: no two begin different jobs of one user at once, which would make one wait for the
    /// other at the unique index. The unique index itself: a claim whose snapshot is older than another's commit fails
    /// with `uniqueViolation` and is simply made again.
    ///
    /// Jobs of users who have one running are parked, out of the index, so that nobody has to pass over them again. The
    /// share lock on the running row makes whoever ends that job wait until the parking is committed, and then see it.
    ///
    /// Written as `= ANY(ARRAY(…))` and with look-ups of one row, never as a join nor as what the planner makes one of (EXISTS):
    /// planned by index, it then uses the indexes whatever the statistics say.
    ///
    /// Each row: `examined` (entries read), the last of them (`last_priority`, `last_run_at` in microseconds, `last_job_id`), then
    /// the claimed job, or NULLs if there is none.
    ///
    /// - Parameter position: entries up to it are not read; nil for all.
    static func claim(
        slots: Int,
        window: Int,
        after position: ClaimPosition?,
        worker: String,
        lease: Duration
    ) -> PostgresQuery {
        .byIndex(
            """
            WITH due AS MATERIALIZED (
                SELECT job_id, user_id, priority, run_at
                FROM sync_jobs
                WHERE status = 'queued' AND NOT parked AND run_at <= now()
                    AND (priority, run_at, job_id) > (
                        \(position?.priority ?? .min),
                        coalesce(
                            timestamptz 'epoch' + \(position?.microseconds) * interval '1 microsecond',
                            '-infinity'),
                        \(position?.id ?? ClaimPosition.lowestID))
                ORDER BY priority, run_at, job_id
                LIMIT \(window)
                FOR NO KEY UPDATE SKIP LOCKED
            ), first_of_user AS MATERIALIZED (
                SELECT DISTINCT ON (user_id) job_id, user_id, priority, run_at
                FROM due
                ORDER BY user_id, priority, run_at, job_id
            ), free AS MATERIALIZED (
                SELECT job_id, user_id, priority, run_at
                FROM first_of_user AS f
                WHERE (SELECT true FROM sync_jobs AS r WHERE r.user_id = f.user_id AND r.status = 'running' LIMIT 1) IS NULL
                ORDER BY priority, run_at, job_id
                LIMIT \(slots)
            ), taken AS MATERIALIZED (
                SELECT job_id, user_id FROM free WHERE pg_try_advisory_xact_lock(hashtextextended(user_id, 7305))
            ), claimed AS (
                UPDATE sync_jobs
                SET status = 'running',
                    lease = nextval('sync_lease_seq'),
                    lease_expires_at = clock_timestamp() + make_interval(secs => \(lease.seconds)),
                    worker = \(worker),
                    attempt = attempt + 1,
                    started_at = coalesce(started_at, clock_timestamp())
                WHERE job_id = ANY (ARRAY(SELECT job_id FROM taken))
                RETURNING job_id, user_id, lease, coalesce(full_sync, false) AS full_sync, attempt, max_attempts, crashes,
                    started_at, traceparent, greatest(extract(epoch FROM clock_timestamp() - run_at), 0)::float8 AS waited
            ), blocking AS MATERIALIZED (
                SELECT user_id FROM sync_jobs
                WHERE status = 'running' AND user_id = ANY (ARRAY(SELECT user_id FROM due))
                FOR SHARE SKIP LOCKED
            ), parked AS (
                UPDATE sync_jobs
                SET parked = true
                WHERE job_id = ANY (ARRAY(
                    SELECT job_id FROM due
                    WHERE user_id IN (SELECT user_id FROM blocking UNION ALL SELECT user_id FROM taken)
                        AND job_id <> ALL (ARRAY(SELECT job_id FROM taken))))
            )
            SELECT (SELECT count(*) FROM due) AS examined, last.*, c.*
            FROM (VALUES (true)) AS one_row
            LEFT JOIN (
                SELECT priority AS last_priority,
                    CASE WHEN isfinite(run_at) THEN (extract(epoch FROM run_at) * 1000000)::bigint ELSE 0 END AS last_run_at,
                    job_id AS last_job_id
                FROM due ORDER BY priority DESC, run_at DESC, job_id DESC LIMIT 1
            ) AS last ON true
            LEFT JOIN claimed AS c ON true
            """
        )
    }
}

extension ClaimedJob {
    /// Reads a row of `claim`; nil for the row that says there is none.
    init?(_ row: PostgresRow) throws {
        guard let id = try row.decode("job_id", as: UUID?.self) else { return nil }
        self.init(
            id: JobID(id),
            userID: UserID(try row.decode("user_id")),
            lease: Lease(try row.decode("lease")),
            isFullSync: try row.decode("full_sync"),
            attempt: try row.decode("attempt"),
            maximumAttempts: try row.decode("max_attempts"),
            crashes: try row.decode("crashes"),
            startedAt: try row.decode("started_at"),
            traceparent: try row.decode("traceparent")
        )
    }
}
