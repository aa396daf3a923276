internal import Postgres

extension PostgresQuery {
    /// Creates of pages that wait for an operator. By `sync_intents_unknown`.
    ///
    /// One row: `count`, `users` (up to ten), `since`.
    static func findHeldCreates(areHeldByDefault: Bool) -> PostgresQuery {
        """
        SELECT count(*) AS count, min(unknown_at) AS since,
            coalesce((array_agg(DISTINCT user_id::text))[1:10], '{}') AS users
        FROM sync_intents
        WHERE unknown_at IS NOT NULL AND operation = 'create'
            AND (resolution = 'hold' OR (resolution IS NULL AND \(areHeldByDefault)))
        """
    }
}
