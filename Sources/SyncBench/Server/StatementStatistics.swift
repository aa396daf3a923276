import Postgres

/// What the server itself counts of statements, by its extension `pg_stat_statements`.
struct StatementStatistics: Sendable {
    let database: BenchDatabase

    /// What a private server needs for it.
    static let serverSettings = [
        "shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_planning": "on",
    ]

    func prepare() async throws {
        try await database.pool.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    }

    func reset() async throws {
        try await database.pool.execute("SELECT pg_stat_statements_reset()")
    }

    /// Statements in this database since the reset, but for those of this type.
    func calls() async throws -> Double {
        try await database.pool.query(
            """
            SELECT coalesce(sum(calls), 0)::float8 AS calls FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND query NOT LIKE '%pg_stat_statements%'
            """
        ).first?.decode("calls") ?? 0
    }

    /// Mean milliseconds, planning included, of the statements that contain a text. Constants stand in there as
    /// parameters.
    func meanMilliseconds(of text: String) async throws -> Double {
        let mean = try await database.pool.query(
            """
            SELECT sum(total_plan_time + total_exec_time) / nullif(sum(calls), 0) AS mean
            FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND query NOT LIKE '%pg_stat_statements%' AND position(\(text) IN query) > 0
            """
        ).first?.decode("mean", as: Double?.self)
        guard let mean = mean ?? nil else { throw BenchError("no statement with \"\(text)\" was run") }
        return mean
    }

    /// Milliseconds of all statements since the reset, planning included.
    func totalMilliseconds() async throws -> Double {
        try await database.pool.query(
            """
            SELECT coalesce(sum(total_plan_time + total_exec_time), 0)::float8 AS total FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND query NOT LIKE '%pg_stat_statements%'
            """
        ).first?.decode("total") ?? 0
    }
}
