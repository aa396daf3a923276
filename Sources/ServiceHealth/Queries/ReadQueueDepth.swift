package import Postgres

/// How much there is to do. Counts end at ``countLimit`` and one.
package struct QueueDepth: Sendable {
    package var queued = 0
    /// Of the queued ones, those a worker could claim now: due, and not paused.
    package var due = 0
    package var running = 0
    /// How long the oldest due job has been due.
    package var oldestDueAge = Duration.zero
    /// Writes to Notion whose outcome is unknown, as `syncctl unknown list` has them.
    package var unknownWrites = 0
}

extension QueueDepth {
    /// Up to here it is counted; one more stands for any number.
    package static let countLimit = 10_000

    /// A count for people.
    package static func text(_ count: Int) -> String {
        count > countLimit ? "more than 10,000" : "\(count)"
    }
}

extension PostgresQuery {
    /// Counts what has not ended, each up to ``QueueDepth/countLimit`` and one: a million jobs take no longer. By the
    /// partial indexes `sync_queue_claim`, of each priority what is due, `sync_queue_forced` while all is paused,
    /// `sync_queue_parked` and `sync_queue_running`: what has ended is in none of them. `sync_intents` holds open writes
    /// only. Pauses by primary key. Jobs of a paused user that no claim has parked yet are read and not counted.
    package static func queueDepth() -> PostgresQuery {
        let most = QueueDepth.countLimit + 1
        let sql = """
            WITH RECURSIVE level AS (
                (SELECT priority FROM sync_queue WHERE lease IS NULL AND NOT is_parked
                 ORDER BY priority, run_at, job_id LIMIT 1)
                UNION ALL
                SELECT (SELECT q.priority FROM sync_queue AS q
                        WHERE q.lease IS NULL AND NOT q.is_parked AND q.priority > l.priority
                        ORDER BY q.priority, q.run_at, q.job_id LIMIT 1)
                FROM level AS l WHERE l.priority IS NOT NULL
            ), priority AS MATERIALIZED (
                SELECT priority FROM level WHERE priority IS NOT NULL LIMIT 1000
            ), pauses AS MATERIALIZED (
                \(PausedJobs.overview)
            )
            SELECT
                (SELECT count(*) FROM (SELECT FROM sync_queue WHERE lease IS NULL AND NOT is_parked LIMIT \(most)) AS waiting)
                    + (SELECT count(*) FROM (SELECT FROM sync_queue WHERE is_parked LIMIT \(most)) AS parked) AS queued,
                (SELECT count(*) FROM (
                    SELECT q.user_id, q.is_forced FROM priority AS p CROSS JOIN LATERAL (
                        SELECT s.user_id, s.is_forced FROM sync_queue AS s
                        WHERE s.lease IS NULL AND NOT s.is_parked AND s.priority = p.priority AND s.run_at <= now()
                            AND (SELECT NOT is_all FROM pauses)
                        LIMIT \(most)) AS q
                    UNION ALL
                    \(PausedJobs.forced(columns: "user_id, is_forced", limit: most))
                    LIMIT \(most)) AS q
                 WHERE \(PausedJobs.passes)) AS due,
                (SELECT extract(epoch FROM now() - min(d.run_at))::float8
                 FROM (
                    SELECT first.run_at FROM priority AS p CROSS JOIN LATERAL (
                        SELECT q.run_at FROM (
                            SELECT s.run_at, s.job_id, s.user_id, s.is_forced FROM sync_queue AS s
                            WHERE s.lease IS NULL AND NOT s.is_parked AND s.priority = p.priority
                                AND s.run_at > '-infinity' AND s.run_at <= now() AND (SELECT NOT is_all FROM pauses)
                            ORDER BY s.run_at, s.job_id LIMIT \(most)) AS q
                        WHERE \(PausedJobs.passes)
                        ORDER BY q.run_at, q.job_id LIMIT 1) AS first
                    UNION ALL
                    (SELECT f.run_at FROM (\(PausedJobs.forced(columns: "run_at", limit: most))) AS f
                     WHERE f.run_at > '-infinity' ORDER BY f.run_at LIMIT 1)) AS d) AS age,
                (SELECT count(*) FROM (SELECT FROM sync_queue WHERE lease IS NOT NULL LIMIT \(most)) AS running) AS running,
                (SELECT count(*) FROM (SELECT FROM sync_unknown_writes LIMIT \(most)) AS unknown) AS unknown
            """
        return .byIndex(PostgresQuery(stringLiteral: sql))
    }
}

extension PostgresPool {
    package func queueDepth() async throws -> QueueDepth {
        guard let row = try await query(.queueDepth()).first else { return QueueDepth() }
        return QueueDepth(
            queued: min(try row.decode("queued"), QueueDepth.countLimit + 1),
            due: try row.decode("due"),
            running: try row.decode("running"),
            oldestDueAge: .seconds(max(try row.decode("age", as: Double?.self) ?? 0, 0)),
            unknownWrites: try row.decode("unknown")
        )
    }
}
