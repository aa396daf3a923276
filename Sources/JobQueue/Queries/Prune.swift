internal import Postgres

extension PostgresQuery {
    /// Deletes jobs finished longer ago than `retention`, with their logs, among the next jobs of the walk, oldest
    /// first.
    ///
    /// Walks `sync_jobs_recent` from its old end: a job was created before it finished, so what is younger than the
    /// retention need not be read. Old jobs that have not finished are passed over. Where the history of a replaced
    /// service is kept, the walk begins a day before it ends: what had been queued for longer was failed. Logs by their
    /// index on the job, then by primary key; while there are more lines than a batch may have, only lines are deleted.
    ///
    /// One row: `jobs`, `lines` deleted, `walked` (jobs read), `is_whole` (false if the same jobs are to come again,
    /// with lines that are left), the last of the jobs read (`last_created_at`, `last_job_id`).
    ///
    /// - Parameter deletes: false only reads how far the batch goes.
    static func prune(
        retention: Duration,
        keepsTakenOver: Bool,
        after position: JobCursor?,
        batch: PruneBatch,
        deletes: Bool = true
    ) -> PostgresQuery {
        .byIndexGivingWay(
            """
            WITH kept AS MATERIALIZED (
                SELECT CASE WHEN \(keepsTakenOver) THEN coalesce(max(history_until), '-infinity')
                            ELSE '-infinity' END AS history_until
                FROM sync_takeovers
            ), walked AS MATERIALIZED (
                SELECT j.created_at, j.job_id,
                    j.status IN ('completed', 'failed', 'cancelled')
                        AND j.completed_at < timezone('utc', now()) - make_interval(secs => \(retention.seconds))
                        AND (j.completed_at > (SELECT history_until FROM kept)
                            OR (SELECT history_until FROM kept) = '-infinity') AS is_old
                FROM sync_jobs AS j
                WHERE j.created_at < timezone('utc', now()) - make_interval(secs => \(retention.seconds))
                    AND (j.created_at, j.job_id) > (
                        greatest(
                            timezone('utc', \(position?.instant)),
                            (SELECT history_until - interval '1 day' FROM kept)),
                        \(position?.id.rawValue ?? ClaimPosition.lowestID))
                ORDER BY j.created_at, j.job_id
                LIMIT \(batch.jobs)
            ), old AS MATERIALIZED (
                SELECT w.job_id
                FROM walked AS w
                CROSS JOIN LATERAL (
                    SELECT FROM sync_jobs AS j
                    WHERE j.job_id = w.job_id AND j.status IN ('completed', 'failed', 'cancelled')
                    FOR UPDATE SKIP LOCKED
                ) AS record
                WHERE w.is_old AND \(deletes)
            ), line AS MATERIALIZED (
                SELECT id FROM sync_logs WHERE job_id = ANY (ARRAY(SELECT job_id FROM old)) LIMIT \(batch.lines)
            ), whole AS MATERIALIZED (
                SELECT count(*) < \(batch.lines) AS is_whole FROM line
            ), lines AS (
                DELETE FROM sync_logs WHERE id = ANY (ARRAY(SELECT id FROM line)) RETURNING 1
            ), jobs AS (
                DELETE FROM sync_jobs
                WHERE job_id = ANY (ARRAY(SELECT job_id FROM old WHERE (SELECT is_whole FROM whole)))
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM jobs) AS jobs, (SELECT count(*) FROM lines) AS lines,
                (SELECT count(*) FROM walked) AS walked, whole.is_whole,
                last.created_at AS last_created_at, last.job_id AS last_job_id
            FROM whole
            LEFT JOIN (SELECT * FROM walked ORDER BY created_at DESC, job_id DESC LIMIT 1) AS last ON true
            """
        )
    }

    /// Gives back the turn at pruning, if this worker has it. A table of one row.
    static func givePruningBack(_ instance: WorkerInstance) -> PostgresQuery {
        "UPDATE sync_pruning SET held_until = '-infinity' WHERE instance = \(instance.rawValue)"
    }

    /// Takes or keeps the turn at pruning, which one worker has at a time. A table of one row.
    ///
    /// A row if this worker has it.
    static func takePruning(_ instance: WorkerInstance, lease: Duration) -> PostgresQuery {
        """
        UPDATE sync_pruning SET instance = \(instance.rawValue), held_until = now() + make_interval(secs => \(lease.seconds))
        WHERE instance = \(instance.rawValue) OR held_until < now()
        RETURNING instance
        """
    }

    /// Forgets workers not seen for an hour: they were killed.
    static func pruneWorkers() -> PostgresQuery {
        "DELETE FROM sync_workers WHERE last_seen_at < now() - interval '1 hour'"
    }

    /// Forgets workers that were stopped more than a day ago, but for those whose leases are still to be rescued. A
    /// scan of a table with a row per stop.
    static func pruneStoppedWorkers() -> PostgresQuery {
        """
        DELETE FROM sync_stopped_workers AS s
        WHERE stopped_at < now() - interval '1 day'
            AND NOT EXISTS (SELECT FROM sync_queue AS q WHERE q.lease IS NOT NULL AND q.lease = ANY (s.leases))
        """
    }

    /// Forgets what workers counted more than a day ago.
    static func pruneThroughput() -> PostgresQuery {
        "DELETE FROM sync_throughput WHERE minute < now() - interval '1 day'"
    }
}
