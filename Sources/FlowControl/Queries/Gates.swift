internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Asks to pass gates and takes permits of one; see `sync_gates_take` in `migrations/0010_flow_control.sql`. By
    /// primary key.
    ///
    /// One row: `blocker` (NULL: all are open), `wait`, `why`, `refusals`, `is_broken`, `probed` (NULL: no probe is to
    /// be made), `is_doubted`, `starts_in`, `spacing` (NULL without a pace), `schedule`.
    ///
    /// - Parameters:
    ///   - unused: permits of an earlier answer that are given back.
    ///   - lease: of a probe that the caller would make; nil: it makes none.
    static func takePermits(
        passing gates: [GateName],
        paced: GateName?,
        _ limit: PaceLimit,
        wanted: Int,
        unused: UnusedPermits,
        horizon: Duration,
        hasSucceeded: Bool,
        lease: Int64? = nil,
        probeTime: Duration = .zero,
        process: String
    ) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT * FROM sync_gates_take(\(gates), \(paced), \(limit.permitsPerSecond), \(Int32(limit.burst)), \(Int32(wanted)),
                \(Int32(unused.count)), \(Int32(unused.last)), \(unused.schedule), \(horizon.seconds), \(hasSucceeded), \(lease), \(probeTime.seconds), \(process))
            """
        )
    }

    /// The closed ones among some gates. By primary key.
    ///
    /// Each row: `gate`, `wait`, `reason`, `throttles`.
    static func closedGates(among gates: [GateName]) -> PostgresQuery {
        .byIndex(
            """
            SELECT g.gate, sync_gate_closed_for(g, clock_timestamp()) AS wait, g.reason, g.throttles
            FROM sync_gates AS g WHERE g.gate = ANY (\(gates)) AND sync_gate_closed_for(g, clock_timestamp()) > 0
            """
        )
    }

    /// Closes a gate and slows its pace; see `sync_gate_refuse`. By primary key.
    ///
    /// One row: `wait`, `refusals`.
    ///
    /// - Parameter caller: whose call a whole peer has refused.
    static func refuse(
        _ gate: GateName,
        beganAgo: Duration,
        asked: Duration?,
        longest: Duration,
        reason: String,
        by worker: String,
        closes: Bool,
        hasSucceeded: Bool = false,
        caller: GateName? = nil
    ) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT * FROM sync_gate_refuse(\(gate), \(beganAgo.seconds), \(asked?.seconds), \(longest.seconds), \(reason), \(worker),
                \(closes), \(hasSucceeded), \(caller))
            """
        )
    }

    /// Forgets gates that are open and that nothing has passed for a day. Reads the table, once an hour.
    static func forgetGates() -> PostgresQuery {
        """
        DELETE FROM sync_gates
        WHERE used_at < clock_timestamp() - interval '1 day' AND coalesce(closed_until, '-infinity') < clock_timestamp()
        """
    }

    /// Gates, those of peers first, then the closed ones. Reads the table.
    ///
    /// Each row: a ``GateRecord``.
    static func gates(isComplete: Bool, limit: Int) -> PostgresQuery {
        """
        SELECT g.gate, sync_gate_closed_for(g, t.at) AS closed_for, g.closed_at, g.closed_until, g.reason, g.closed_by, g.rate,
            sync_gate_pace(g, t.at) AS pace, g.used_at, g.opened_at, g.opened_reason, g.opened_by, g.probe_at,
            CASE WHEN g.opened_at IS NOT NULL THEN coalesce(g.broken_since, g.opened_at) END AS broken_since,
            g.probe_until > t.at AS is_probed,
            greatest(least(extract(epoch FROM g.probe_at - t.at), g.cooldown), 0)::float8 AS probe_in,
            CASE WHEN g.minute = date_trunc('minute', t.at)
                 THEN g.permits + ceil(g.permits_before * (60 - extract(second FROM t.at)) / 60)
                 WHEN g.minute = date_trunc('minute', t.at) - interval '1 minute'
                 THEN ceil(g.permits * (60 - extract(second FROM t.at)) / 60)
                 ELSE 0 END::int AS recent_permits
        FROM sync_gates AS g CROSS JOIN (SELECT clock_timestamp() AS at) AS t
        WHERE \(isComplete) OR g.scope = 'peer' OR g.opened_at IS NOT NULL OR g.closed_until > t.at
            OR g.used_at > t.at - interval '10 minutes' OR sync_gate_pace(g, t.at) < g.rate
        ORDER BY g.scope <> 'peer', sync_gate_closed_for(g, t.at) = 0, g.gate
        LIMIT \(limit)
        """
    }

    /// Opens a gate, and lets it go on at its full pace. By primary key.
    ///
    /// One row, if there is such a gate: `closed_for`, seconds it would have stayed closed; `was_broken`.
    static func openGate(_ gate: GateName) -> PostgresQuery {
        """
        UPDATE sync_gates AS g
        SET closed_until = CASE WHEN g.closed_until > clock_timestamp() THEN clock_timestamp() ELSE g.closed_until END,
            throttles = 0, slowed_rate = NULL, slowed_at = NULL, failures = 0, failing = '{}', opened_at = NULL,
            on_trial = false, openings = 0, failing_by = '{}', unreached_by = '{}', failed_by = '{}', broken_since = NULL,
            probe_at = NULL, probe_lease = NULL, probe_until = NULL
        FROM (SELECT gate, sync_gate_closed_for(s, clock_timestamp()) AS closed_for, opened_at IS NOT NULL AS was_broken
              FROM sync_gates AS s WHERE s.gate = \(gate) FOR NO KEY UPDATE) AS before
        WHERE g.gate = before.gate
        RETURNING before.closed_for, before.was_broken
        """
    }

    /// Longest time for which a job is put off beyond the opening of its gate; see `finish` of the queue.
    private static let longestDelay = Duration.seconds(75)

    /// Makes jobs due earlier that were put off until a gate opens and would wait for longer than it says now, as where
    /// the clock has been set back: then the gate is reckoned anew too. Those whose user has other credentials since,
    /// as `sync_replaced_credentials` says, are due at once. A job whose record or queue row somebody has locked is
    /// passed over until the next time. By `sync_queue_snoozed`, then primary keys.
    ///
    /// Each row: `job_id`.
    static func recallJobs(limit: Int) -> PostgresQuery {
        .byIndex(
            """
            WITH replaced AS MATERIALIZED (
                SELECT c.id, c.user_id FROM sync_replaced_credentials AS c ORDER BY c.id LIMIT \(limit)
            ), snoozed AS MATERIALIZED (
                SELECT q.ctid AS place, q.job_id, q.user_id, q.gate, q.run_at,
                    strpos(q.gate, '/') > 0 AND q.run_at > clock_timestamp()
                        AND q.user_id IN (SELECT r.user_id FROM replaced AS r) AS is_replaced
                FROM sync_queue AS q
                WHERE q.snoozed_since IS NOT NULL AND q.lease IS NULL AND q.gate IS NOT NULL
            ), late AS MATERIALIZED (
                SELECT * FROM snoozed AS s
                WHERE s.is_replaced OR s.run_at > clock_timestamp() + make_interval(secs => \(longestDelay.seconds))
            ), gates AS MATERIALIZED (
                SELECT name, g.opening FROM (SELECT DISTINCT gate AS name FROM late) AS named
                LEFT JOIN LATERAL (
                    SELECT greatest(sync_gate_closed_for(s, clock_timestamp()),
                        CASE WHEN s.opened_at IS NOT NULL
                             THEN least(extract(epoch FROM s.probe_at - clock_timestamp()), s.cooldown) END) AS opening
                    FROM sync_gates AS s WHERE s.gate = name
                ) AS g ON true
            ), reckoned AS (
                UPDATE sync_gates AS s
                SET closed_at = clock_timestamp(), closed_until = clock_timestamp() + (s.closed_until - s.closed_at)
                WHERE s.gate = ANY (ARRAY(SELECT name FROM gates)) AND s.closed_at > clock_timestamp() + interval '1 second'
            ), recalled AS MATERIALIZED (
                SELECT l.job_id, record.place, CASE WHEN l.is_replaced THEN 0 ELSE coalesce(g.opening, 0) + 5 * random() END AS delay
                FROM late AS l JOIN gates AS g ON g.name = l.gate
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place FROM sync_jobs AS j WHERE j.job_id = l.job_id AND j.status = 'queued'
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS record
                CROSS JOIN LATERAL (
                    SELECT FROM sync_queue AS q WHERE q.ctid = l.place AND q.lease IS NULL FOR NO KEY UPDATE SKIP LOCKED
                ) AS entry
                WHERE l.is_replaced
                    OR l.run_at > clock_timestamp() + make_interval(secs => coalesce(g.opening, 0) + \(longestDelay.seconds))
                LIMIT \(limit)
            ), forgotten AS (
                DELETE FROM sync_replaced_credentials AS c
                WHERE c.id = ANY (ARRAY(
                    SELECT r.id FROM replaced AS r
                    WHERE r.user_id NOT IN (
                        SELECT l.user_id FROM late AS l
                        WHERE l.is_replaced AND l.job_id NOT IN (SELECT d.job_id FROM recalled AS d))))
            )
            UPDATE sync_jobs AS j SET run_at = clock_timestamp() + make_interval(secs => r.delay)
            FROM recalled AS r WHERE j.ctid = r.place
            RETURNING j.job_id
            """
        )
    }

    /// How many jobs are snoozed for a gate. Reads all of `sync_queue_snoozed`.
    ///
    /// One row: `count`.
    static func countJobs(behind gate: GateName) -> PostgresQuery {
        """
        SELECT count(*) AS count FROM sync_queue AS q
        WHERE q.snoozed_since IS NOT NULL AND q.lease IS NULL AND q.gate = \(gate) AND q.run_at > clock_timestamp()
        """
    }

    /// Makes up to `limit` jobs due that were snoozed for a gate, at random times within `spread`, and adds to their
    /// error that it has been opened. By `sync_queue_snoozed`, then primary key; the trigger of the record changes the
    /// queue row, which is no longer snoozed then. A job whose record somebody has locked is left to `recallJobs`.
    ///
    /// Each row: `job_id`.
    static func releaseJobs(behind gate: GateName, within spread: Duration, limit: Int) -> PostgresQuery {
        """
        WITH waiting AS MATERIALIZED (
            SELECT q.job_id FROM sync_queue AS q
            WHERE q.snoozed_since IS NOT NULL AND q.lease IS NULL AND q.gate = \(gate) AND q.run_at > clock_timestamp()
            LIMIT \(limit)
        ), free AS MATERIALIZED (
            SELECT record.place
            FROM waiting AS w
            CROSS JOIN LATERAL (
                SELECT j.ctid AS place FROM sync_jobs AS j WHERE j.job_id = w.job_id AND j.status = 'queued'
                FOR NO KEY UPDATE SKIP LOCKED
            ) AS record
        )
        UPDATE sync_jobs AS j
        SET run_at = clock_timestamp() + random() * make_interval(secs => \(spread.seconds)),
            last_error = rtrim(j.last_error, '.') || '. The gate has been opened since, by ' || current_user || '.'
        FROM free WHERE j.ctid = free.place
        RETURNING j.job_id
        """
    }

    /// Closes a gate: of a peer, or one that is there; one that is closed for longer is left as it is. By primary key.
    ///
    /// One row, unless there is no such gate: `is_changed`, `closed_until`, and how it was closed before, or NULLs:
    /// `earlier_until`, `earlier_reason`, `earlier_closed_by`.
    static func closeGate(_ gate: GateName, for duration: Duration, reason: String) -> PostgresQuery {
        """
        WITH earlier AS MATERIALIZED (
            SELECT clock_timestamp() + make_interval(secs => sync_gate_closed_for(g, clock_timestamp())) AS until, g.reason, g.closed_by
            FROM sync_gates AS g WHERE g.gate = \(gate) AND sync_gate_closed_for(g, clock_timestamp()) > 0
        ), closed AS (
            INSERT INTO sync_gates AS g (gate, closed_at, closed_until, reason, closed_by)
            SELECT name, clock_timestamp(), clock_timestamp() + make_interval(secs => \(duration.seconds)), \(reason), current_user
            FROM (SELECT \(gate) AS name) AS given
            WHERE strpos(name, '/') = 0 OR EXISTS (SELECT FROM sync_gates AS s WHERE s.gate = name)
            ON CONFLICT (gate) DO UPDATE
            SET closed_at = excluded.closed_at, closed_until = excluded.closed_until, reason = excluded.reason,
                closed_by = excluded.closed_by
            WHERE sync_gate_closed_for(g, excluded.closed_at) < \(duration.seconds)
            RETURNING closed_until
        )
        SELECT closed.closed_until IS NOT NULL AS is_changed, coalesce(closed.closed_until, earlier.until) AS closed_until,
            earlier.until AS earlier_until, earlier.reason AS earlier_reason, earlier.closed_by AS earlier_closed_by
        FROM (SELECT (SELECT closed_until FROM closed) AS closed_until) AS closed
        LEFT JOIN earlier ON true
        WHERE closed.closed_until IS NOT NULL OR earlier.until IS NOT NULL
        """
    }
}
