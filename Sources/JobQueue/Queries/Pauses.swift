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
}
