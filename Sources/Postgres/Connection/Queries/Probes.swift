extension PostgresQuery {
    /// The cheapest question: whether the server answers.
    public static func ping() -> PostgresQuery {
        "SELECT 1"
    }

    /// Which of `processes`, all of this user, have no statement under way: one that is idle, or gone.
    ///
    /// Each row: `pid`.
    ///
    /// - Parameter ages: in seconds, of those that may be another's: one of another age is.
    static func idleProcesses(among processes: [Int32], ages: [Double?]) -> PostgresQuery {
        """
        SELECT p.pid
        FROM unnest(\(processes), \(ages)) AS p (pid, age)
        LEFT JOIN pg_stat_activity AS a ON a.pid = p.pid AND a.usename = session_user
        WHERE p.age IS NULL AND (a.pid IS NULL OR a.state LIKE 'idle%')
            OR a.state LIKE 'idle%' AND abs(extract(epoch FROM clock_timestamp() - a.backend_start) - p.age) < 2
        """
    }

    /// The number of the server process that answers, one row of one column.
    static func serverProcess() -> PostgresQuery {
        "SELECT pg_backend_pid()"
    }
}
