extension PostgresQuery {
    /// The cheapest question: whether the server answers.
    public static func ping() -> PostgresQuery {
        "SELECT 1"
    }

    /// Which of `processes`, all of this user, have no statement under way: one that is idle, or gone.
    ///
    /// Each row: `pid`.
    static func idleProcesses(among processes: [Int32]) -> PostgresQuery {
        """
        SELECT p.pid
        FROM unnest(\(processes)) AS p (pid)
        LEFT JOIN pg_stat_activity AS a ON a.pid = p.pid AND a.usename = session_user
        WHERE a.pid IS NULL OR a.state LIKE 'idle%'
        """
    }

    /// The number of the server process that answers, one row of one column.
    static func serverProcess() -> PostgresQuery {
        "SELECT pg_backend_pid()"
    }
}
