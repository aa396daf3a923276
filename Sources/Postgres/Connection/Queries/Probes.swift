extension PostgresQuery {
    /// The cheapest question: whether the server answers.
    public static func ping() -> PostgresQuery {
        "SELECT 1"
    }

    /// The number of the server process that answers, one row of one column.
    static func serverProcess() -> PostgresQuery {
        "SELECT pg_backend_pid()"
    }
}
