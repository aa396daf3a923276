internal import Postgres

extension PostgresQuery {
    /// Writes of unknown outcome that wait for an operator: by the policy, by an operator's word, or because there are
    /// too many of the note. By `sync_intents_unknown`.
    ///
    /// One row: `count`, `users` (up to ten), `since`.
    static func findHeldCreates(areHeldByDefault: Bool, limit: Int) -> PostgresQuery {
        """
        SELECT count(*) AS count, min(unknown_at) AS since,
            coalesce((array_agg(DISTINCT user_id::text))[1:10], '{}') AS users
        FROM sync_intents
        WHERE unknown_at IS NOT NULL
            AND (resolution = 'hold' OR (resolution IS NULL AND (\(areHeldByDefault) OR unknown_count >= \(limit) + (was_trial OR was_outage)::int)))
        """
    }
}
