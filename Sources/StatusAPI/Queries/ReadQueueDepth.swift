import Postgres

/// How much there is to do.
struct QueueDepth: Sendable {
    var queued = 0
    /// Of the queued ones, those a worker could claim now.
    var due = 0
    var running = 0
    /// How long the oldest due job has been due.
    var oldestDueAge = Duration.zero
    /// Writes to Notion whose outcome is not settled.
    var unknownIntents = 0
}

extension PostgresQuery {
    /// Counts what has not ended, by the partial indexes `sync_queue_claim`, `sync_queue_parked`, `sync_queue_running` and
    /// `sync_intents_unknown`: what has ended is in none of them.
    static func queueDepth() -> PostgresQuery {
        .byIndex(
            """
            SELECT open.queued + (SELECT count(*) FROM sync_queue WHERE is_parked) AS queued, open.due,
                extract(epoch FROM now() - open.oldest)::float8 AS age,
                (SELECT count(*) FROM sync_queue WHERE lease IS NOT NULL) AS running,
                (SELECT count(*) FROM sync_intents WHERE unknown_at IS NOT NULL) AS unknown
            FROM (
                SELECT count(*) AS queued, count(*) FILTER (WHERE run_at <= now()) AS due,
                    min(run_at) FILTER (WHERE run_at <= now() AND isfinite(run_at)) AS oldest
                FROM sync_queue WHERE lease IS NULL AND NOT is_parked
            ) AS open
            """
        )
    }
}

extension PostgresPool {
    func queueDepth() async throws -> QueueDepth {
        guard let row = try await query(.queueDepth()).first else { return QueueDepth() }
        return QueueDepth(
            queued: try row.decode("queued"),
            due: try row.decode("due"),
            running: try row.decode("running"),
            oldestDueAge: .seconds(max(try row.decode("age", as: Double?.self) ?? 0, 0)),
            unknownIntents: try row.decode("unknown")
        )
    }
}
