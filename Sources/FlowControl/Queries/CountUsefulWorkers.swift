internal import Postgres

extension PostgresQuery {
    /// Counts the jobs that could run at once now.
    ///
    /// By `sync_queue_claim`, of each priority what is due, `sync_queue_forced` and `sync_queue_running`, each up to
    /// ``UsefulWorkers/readLimit`` entries: a million jobs take no longer. Jobs of one user that stand there before
    /// others' are many only until claims have parked them. Pauses by `sync_pauses_pkey`, gates by `sync_gates_pkey`,
    /// and the table of workers.
    ///
    /// Jobs that are snoozed for the gate of such a peer are due later, and count as one: by `sync_queue_snoozed`.
    ///
    /// One row: `running`; `waiting`, users with a job that could begin; `is_held`, whether a peer keeps them from it;
    /// `slots` of a worker, NULL where there is none.
    static func usefulWorkers() -> PostgresQuery {
        let most = UsefulWorkers.readLimit
        return .byIndex(
            """
            WITH RECURSIVE queue AS MATERIALIZED (
                SELECT coalesce(
                    (SELECT true FROM sync_pauses
                     WHERE scope = 'all' AND (paused_until IS NULL OR paused_until > now()) LIMIT 1),
                    (SELECT true FROM sync_pauses
                     WHERE scope = 'peer' AND (paused_until IS NULL OR paused_until > now()) LIMIT 1)) IS NULL AS is_open
            ), level AS (
                (SELECT priority FROM sync_queue WHERE lease IS NULL AND NOT is_parked AND (SELECT is_open FROM queue)
                 ORDER BY priority, run_at, job_id LIMIT 1)
                UNION ALL
                SELECT (SELECT q.priority FROM sync_queue AS q
                        WHERE q.lease IS NULL AND NOT q.is_parked AND q.priority > l.priority
                        ORDER BY q.priority, q.run_at, q.job_id LIMIT 1)
                FROM level AS l WHERE l.priority IS NOT NULL
            ), due AS MATERIALIZED (
                SELECT d.user_id
                FROM (SELECT priority FROM level WHERE priority IS NOT NULL LIMIT 1000) AS p
                CROSS JOIN LATERAL (
                    SELECT q.user_id FROM sync_queue AS q
                    WHERE q.lease IS NULL AND NOT q.is_parked AND q.priority = p.priority AND q.run_at <= now()
                    ORDER BY q.run_at, q.job_id LIMIT \(most)) AS d
                LIMIT \(most)
            ), forced AS MATERIALIZED (
                SELECT user_id FROM sync_queue
                WHERE is_forced AND lease IS NULL AND NOT is_parked AND run_at <= now()
                LIMIT \(most)
            ), running AS MATERIALIZED (
                SELECT user_id FROM sync_queue WHERE lease IS NOT NULL LIMIT \(most)
            ), waiting AS (
                ((SELECT user_id FROM due
                  EXCEPT
                  SELECT key FROM sync_pauses WHERE scope = 'user' AND (paused_until IS NULL OR paused_until > now()))
                 UNION
                 SELECT user_id FROM forced)
                EXCEPT
                SELECT user_id FROM running
            ), held AS MATERIALIZED (
                SELECT g.gate FROM sync_gates AS g
                WHERE g.gate = ANY (\(Peer.allCases.map(\.rawValue)))
                    AND (g.opened_at IS NOT NULL OR sync_gate_closed_for(g, clock_timestamp()) > 15)
            ), snoozed AS (
                SELECT true AS is_there FROM sync_queue AS q
                WHERE q.snoozed_since IS NOT NULL AND q.lease IS NULL AND q.gate IN (SELECT gate FROM held)
                    AND (q.is_forced OR (SELECT is_open FROM queue) AND NOT EXISTS (
                        SELECT FROM sync_pauses AS p
                        WHERE p.scope = 'user' AND p.key = q.user_id AND (p.paused_until IS NULL OR p.paused_until > now())))
                LIMIT 1
            )
            SELECT (SELECT count(*) FROM running) AS running,
                greatest((SELECT count(*) FROM waiting), (SELECT count(*) FROM snoozed)) AS waiting,
                EXISTS (SELECT FROM held) AS is_held,
                (SELECT coalesce(avg(slots) FILTER (WHERE last_seen_at > now() - interval '1 minute'), avg(slots))::float8
                 FROM sync_workers) AS slots
            """
        )
    }
}
