import Postgres

extension PostgresQuery {
    /// The cheapest question.
    static func probe() -> PostgresQuery {
        "SELECT 1"
    }
}
