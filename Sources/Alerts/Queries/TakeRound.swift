internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Takes the turn at work that one worker at a time does, if it is due, and moves it on. By primary key; of two
    /// workers the second finds it locked or moved.
    static func takeRound(_ name: String, interval: Duration) -> PostgresQuery {
        .byIndex(
            """
            UPDATE sync_alert_rounds SET run_at = now() + make_interval(secs => \(interval.seconds))
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM sync_alert_rounds WHERE name = \(name) AND run_at <= now() FOR NO KEY UPDATE SKIP LOCKED))
            RETURNING name
            """
        )
    }
}
