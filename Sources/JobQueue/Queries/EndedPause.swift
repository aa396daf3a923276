internal import Postgres

extension PostgresQuery {
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
}

extension JobClient {
    /// The pause that has kept a queued job from running and is over, while the job has not been brought back; nil:
    /// there is none.
    ///
    /// - Throws: `PostgresError`.
    public func endedPause(keeping id: JobID) async throws -> Pause? {
        try await pool.query(.endedPause(keeping: id)).first.map(Pause.init)
    }
}
