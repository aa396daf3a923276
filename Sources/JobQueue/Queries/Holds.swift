internal import Postgres

extension PostgresQuery {
    /// What queued jobs wait for, as their queue rows, the pauses and the gates say. By primary key, then by the index
    /// that the queue row is in, which its record tells; gates by `sync_gates_pkey`, pauses by `sync_pauses_pkey`, what
    /// runs by `sync_queue_running`.
    ///
    /// A row for each that there is: `job_id`; `is_later`, `run_at`, `delay_reason` (why it was put off, or its last attempt
    /// did not complete; NULL where it is due later for another reason), `running` (the job of its user that runs); a
    /// ``ClosedGate`` that the job has been snoozed for or, of one that is due, among `gates`, or NULLs; and the
    /// ``Pause`` that it does not pass for longest, or NULLs.
    static func hold(on ids: [JobID], behind gates: [String]) -> PostgresQuery {
        .byIndex(
            """
            SELECT j.job_id, q.is_later, j.run_at,
                CASE WHEN q.is_put_off OR j.attempt > 0 OR j.crashes > 0 THEN left(j.last_error, 1000) END AS delay_reason,
                (SELECT r.job_id \(ClaimCondition.runningJob)) AS running,
                g.gate, g.opened_at, g.opened_reason, g.closed_at, g.closed_until, g.closed_reason, g.closed_by,
                p.scope, p.key, left(p.reason, 1000) AS reason, p.paused_by, p.paused_at, p.paused_until
            FROM sync_jobs AS j
            CROSS JOIN LATERAL (
                SELECT q.gate, q.is_forced, q.user_id, q.snoozed_since IS NOT NULL AS is_put_off,
                    NOT (\(ClaimCondition.isDue)) AS is_later
                FROM (
                    SELECT q.gate, q.is_forced, q.user_id, q.snoozed_since, q.run_at FROM sync_queue AS q
                    WHERE q.priority = j.priority AND q.run_at = j.run_at AND q.job_id = j.job_id AND \(ClaimCondition.isListed)
                    UNION ALL
                    SELECT q.gate, q.is_forced, q.user_id, q.snoozed_since, q.run_at FROM sync_queue AS q
                    WHERE q.user_id = j.user_id AND q.priority = j.priority AND q.run_at = j.run_at AND q.job_id = j.job_id
                        AND q.is_parked
                ) AS q
                LIMIT 1
            ) AS q
            LEFT JOIN LATERAL (
                SELECT s.gate, CASE WHEN s.opened_at IS NOT NULL THEN coalesce(s.broken_since, s.opened_at) END AS opened_at,
                    left(s.opened_reason, 1000) AS opened_reason,
                    \(closing),
                    left(s.reason, 1000) AS closed_reason, s.closed_by
                FROM sync_gates AS s
                WHERE s.gate = ANY (CASE WHEN q.is_later THEN ARRAY[q.gate] ELSE \(gates)::text[] END)
                    AND (s.opened_at IS NOT NULL OR sync_gate_closed_for(s, clock_timestamp()) > 0)
                -- What nobody knows the end of comes first, then what ends last.
                ORDER BY s.opened_at IS NULL, sync_gate_closed_for(s, clock_timestamp()) DESC LIMIT 1
            ) AS g ON true
            LEFT JOIN LATERAL (
                SELECT p.*
                FROM (SELECT * FROM sync_pauses AS p WHERE p.scope = ANY ('{all,peer}')
                      UNION ALL
                      SELECT * FROM sync_pauses AS p WHERE p.scope = 'user' AND p.key = j.user_id) AS p
                WHERE NOT q.is_forced AND \(ClaimCondition.isOngoing)
                ORDER BY p.paused_until DESC NULLS FIRST, p.scope, p.key LIMIT 1
            ) AS p ON true
            WHERE j.job_id = ANY (\(ids.map(\.rawValue))) AND \(ClaimCondition.isQueued)
            """
        )
    }

    /// Since when and until when the gate `s` is closed; NULLs: it is not.
    private static let closing: PostgresFragment = """
        CASE WHEN sync_gate_closed_for(s, clock_timestamp()) > 0 THEN s.closed_at END AS closed_at,
        CASE WHEN sync_gate_closed_for(s, clock_timestamp()) > 0 THEN s.closed_until END AS closed_until
        """

    /// The pause of a user that is over and has a job of the user parked still: the rescuer, which comes by within half
    /// a lease, takes it away and brings the user's next job back. By the primary keys of `sync_jobs` and
    /// `sync_pauses`, `sync_queue_parked` and `sync_queue_running`.
    ///
    /// A row, if the queued job waits for that: a ``Pause``.
    static func endedPause(keeping id: JobID) -> PostgresQuery {
        .byIndex(
            """
            SELECT p.scope, p.key, left(p.reason, 1000) AS reason, p.paused_by, p.paused_at, p.paused_until
            FROM sync_jobs AS j
            JOIN sync_pauses AS p ON p.scope = 'user' AND p.key = j.user_id AND p.paused_until <= clock_timestamp()
            WHERE j.job_id = \(id.rawValue) AND j.status = 'queued'
                AND (SELECT true FROM sync_queue AS q
                     WHERE q.user_id = j.user_id AND q.priority = j.priority AND q.run_at = j.run_at AND q.job_id = j.job_id
                         AND q.is_parked LIMIT 1)
                AND (SELECT true FROM sync_queue AS r WHERE r.user_id = j.user_id AND r.lease IS NOT NULL LIMIT 1) IS NULL
            """
        )
    }

    /// The gates that let no call pass now, of these; first what nobody knows the end of, then what ends last. By
    /// primary key.
    ///
    /// Each row: a ``ClosedGate``.
    static func closedGates(among gates: [String], limit: Int) -> PostgresQuery {
        .byIndex(
            """
            SELECT s.gate, CASE WHEN s.opened_at IS NOT NULL THEN coalesce(s.broken_since, s.opened_at) END AS opened_at,
                left(s.opened_reason, 1000) AS opened_reason,
                \(closing),
                left(s.reason, 1000) AS closed_reason, s.closed_by
            FROM sync_gates AS s
            WHERE s.gate = ANY (\(gates))
                AND (s.opened_at IS NOT NULL OR sync_gate_closed_for(s, clock_timestamp()) > 0)
            ORDER BY s.opened_at IS NULL, sync_gate_closed_for(s, clock_timestamp()) DESC LIMIT \(limit)
            """
        )
    }

    /// Peers that are out of order, or calls of which have failed lately. Reads the gates.
    ///
    /// Each row: `gate`.
    static func failingPeers() -> PostgresQuery {
        """
        SELECT gate FROM sync_gates
        WHERE scope = 'peer' AND (opened_at IS NOT NULL
            OR failures > 0 AND failed_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp())
        ORDER BY gate
        """
    }

    /// The gates that jobs of a user have been snoozed for, of the newest thousand: in an outage all users have such
    /// jobs. By `sync_jobs_user_recent`, then by the index that each queue row is in.
    ///
    /// Each row: `gate`.
    static func gatesAwaited(by user: UserID) -> PostgresQuery {
        .byIndex(
            """
            SELECT DISTINCT q.gate
            FROM (SELECT * FROM sync_jobs AS j WHERE j.user_id = \(user.rawValue) ORDER BY j.created_at DESC, j.job_id DESC LIMIT 1000) AS j
            CROSS JOIN LATERAL (
                SELECT q.gate, q.snoozed_since FROM sync_queue AS q
                WHERE \(ClaimCondition.isQueued) AND q.priority = j.priority AND q.run_at = j.run_at AND q.job_id = j.job_id
                    AND \(ClaimCondition.isListed)
                UNION ALL
                SELECT q.gate, q.snoozed_since FROM sync_queue AS q
                WHERE \(ClaimCondition.isQueued) AND q.user_id = j.user_id AND q.priority = j.priority AND q.run_at = j.run_at
                    AND q.job_id = j.job_id AND q.is_parked
            ) AS q
            WHERE q.gate IS NOT NULL AND q.snoozed_since IS NOT NULL
            """
        )
    }
}
