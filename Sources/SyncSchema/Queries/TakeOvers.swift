internal import Postgres

extension PostgresQuery {
    /// By primary key, from its end.
    static func lastTakeOver() -> PostgresQuery {
        """
        SELECT id, jobs, states, credentials, logs, failed_queued, failed_running, oldest_failed_at, requeued, queued
        FROM sync_takeovers ORDER BY id DESC LIMIT 1
        """
    }

    /// Reads all four tables once, for their sizes.
    static func takeOver() -> PostgresQuery {
        "SELECT sync_take_over(false) AS id"
    }

    /// A row that somebody holds locked ends the take-over with an error instead of a silent wait.
    static func limitLockWaits() -> PostgresQuery {
        "SET LOCAL lock_timeout = '10s'"
    }
}
