internal import Postgres

extension PostgresQuery {
    /// The pauses whose time is not over. Reads the table, by primary key.
    ///
    /// Each row: a ``Pause``.
    static func pauses(limit: Int) -> PostgresQuery {
        """
        SELECT scope, key, left(reason, 1000) AS reason, paused_by, paused_at, paused_until FROM sync_pauses
        WHERE paused_until IS NULL OR paused_until > clock_timestamp()
        ORDER BY scope, key LIMIT \(limit)
        """
    }

    /// Counts them up to 10,001 by what they are of.
    ///
    /// Each row: `scope`, `count`.
    static func countPauses() -> PostgresQuery {
        """
        SELECT scope, count(*) AS count
        FROM (SELECT scope FROM sync_pauses WHERE paused_until IS NULL OR paused_until > clock_timestamp() LIMIT 10001) AS counted
        GROUP BY scope
        """
    }

    /// A pause whose time is not over. By primary key.
    ///
    /// A row, if there is one: a ``Pause``.
    static func pause(_ scope: PauseScope) -> PostgresQuery {
        """
        SELECT scope, key, left(reason, 1000) AS reason, paused_by, paused_at, paused_until FROM sync_pauses
        WHERE scope = \(scope.kind) AND key = \(scope.key) AND (paused_until IS NULL OR paused_until > clock_timestamp())
        """
    }

    /// Pauses, or changes a pause. By primary key. Nothing else is written: what is paused is passed over by the
    /// claims.
    ///
    /// One row: `paused_until`.
    static func setPause(_ scope: PauseScope, for duration: Duration?, reason: String) -> PostgresQuery {
        """
        INSERT INTO sync_pauses AS p (scope, key, reason, paused_by, paused_at, paused_until)
        VALUES (\(scope.kind), \(scope.key), \(reason), current_user, clock_timestamp(),
            clock_timestamp() + make_interval(secs => \(duration?.seconds)))
        ON CONFLICT (scope, key) DO UPDATE
        SET reason = excluded.reason, paused_by = excluded.paused_by, paused_at = excluded.paused_at,
            paused_until = excluded.paused_until
        RETURNING paused_until
        """
    }

    /// Ends the pauses whose time is over, but those that somebody has locked. By `sync_pauses_until`. The trigger
    /// brings back the next job of each user and wakes a worker.
    ///
    /// A row for each.
    static func endPauses(limit: Int) -> PostgresQuery {
        .byIndex(
            """
            DELETE FROM sync_pauses
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM sync_pauses WHERE paused_until <= now() ORDER BY paused_until LIMIT \(limit)
                FOR UPDATE SKIP LOCKED))
            RETURNING scope
            """
        )
    }

    /// A pause that has ended by itself lately. By primary key.
    ///
    /// A row, if there is one: a ``Pause``.
    static func endedPause(_ scope: PauseScope) -> PostgresQuery {
        """
        SELECT scope, key, left(reason, 1000) AS reason, paused_by, paused_at, paused_until FROM sync_ended_pauses
        WHERE scope = \(scope.kind) AND key = \(scope.key)
        """
    }

    /// Ends a pause. By primary key. The trigger brings back the next job of a user and wakes a worker.
    ///
    /// A row, if there was one: a ``Pause``, and `is_over`, whether its time was.
    static func endPause(_ scope: PauseScope) -> PostgresQuery {
        """
        DELETE FROM sync_pauses WHERE scope = \(scope.kind) AND key = \(scope.key)
        RETURNING scope, key, left(reason, 1000) AS reason, paused_by, paused_at, paused_until,
            coalesce(paused_until <= clock_timestamp(), false) AS is_over
        """
    }

    /// Counts what runs of what is paused, up to 10,001. By `sync_queue_running`.
    ///
    /// One row: `count`.
    static func countRunning(_ scope: PauseScope) -> PostgresQuery {
        if case .user(let user) = scope {
            "SELECT count(*) AS count FROM sync_queue WHERE lease IS NOT NULL AND user_id = \(user.rawValue)"
        } else {
            "SELECT count(*) AS count FROM (SELECT FROM sync_queue WHERE lease IS NOT NULL LIMIT 10001) AS running"
        }
    }

    /// What a queued job waits for, as its queue row and the pauses say. By primary key, then by the index that the
    /// queue row is in, which its record tells.
    ///
    /// A row, if there is such a job: `is_later`, `run_at`, `gate`, `running` (the job of its user that runs), and a
    /// ``Pause`` that it does not pass, or NULLs.
    static func hold(on id: JobID) -> PostgresQuery {
        .byIndex(
            """
            SELECT j.run_at > clock_timestamp() AS is_later, j.run_at, q.gate,
                (SELECT r.job_id FROM sync_queue AS r WHERE r.user_id = j.user_id AND r.lease IS NOT NULL LIMIT 1) AS running,
                p.scope, p.key, left(p.reason, 1000) AS reason, p.paused_by, p.paused_at, p.paused_until
            FROM sync_jobs AS j
            CROSS JOIN LATERAL (
                SELECT gate, is_forced FROM sync_queue
                WHERE priority = j.priority AND run_at = j.run_at AND job_id = j.job_id AND lease IS NULL AND NOT is_parked
                UNION ALL
                SELECT gate, is_forced FROM sync_queue
                WHERE user_id = j.user_id AND priority = j.priority AND run_at = j.run_at AND job_id = j.job_id AND is_parked
                LIMIT 1
            ) AS q
            LEFT JOIN LATERAL (
                SELECT s.scope, s.key, s.reason, s.paused_by, s.paused_at, s.paused_until FROM sync_pauses AS s
                WHERE NOT q.is_forced AND (s.paused_until IS NULL OR s.paused_until > clock_timestamp())
                    AND (s.scope = ANY ('{all,peer}') OR s.scope = 'user' AND s.key = j.user_id)
                ORDER BY s.scope, s.key LIMIT 1
            ) AS p ON true
            WHERE j.job_id = \(id.rawValue) AND j.status = 'queued'
            """
        )
    }
}
