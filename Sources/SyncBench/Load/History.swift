import Postgres

/// What a database holds after years of use.
struct History: Sendable {
    let database: BenchDatabase

    /// Adds finished jobs of many users, from the last twenty days, until there are so many.
    ///
    /// Their identifiers ascend: what is looked for is how much there is, not how it came, and so it comes quickly. For
    /// the same reason the indexes but the primary key are made anew afterwards.
    func addFinishedJobs(until total: Int, having present: Int) async throws {
        guard total > present else { return }
        let indexes = try await dropIndexes(of: "sync_jobs")
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, total_notes, processed_notes, run_at, attempt, started_at,
                created_at, completed_at, failed_at)
            SELECT (lpad(to_hex(n), 12, '0') || substr(md5(n::text), 1, 20))::uuid, 'old-' || n % 20000,
                CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'completed' END, 20, 20, t, 1, t,
                timezone('utc', t), timezone('utc', t + interval '20 seconds'),
                CASE WHEN n % 50 = 0 THEN t + interval '20 seconds' END
            FROM (SELECT n, now() - interval '20 days' + n * interval '20 days' / greatest(\(total), 6000000) AS t
                  FROM generate_series(\(present) + 1, \(total)) AS n) AS past
            """
        )
        try await make(indexes)
        try await database.settle("sync_jobs")
    }

    /// Adds the states of many users' notes.
    func addStates(_ count: Int) async throws {
        let indexes = try await dropIndexes(of: "sync_state")
        try await database.pool.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, content_hash)
            SELECT 'old-' || n / 100, 'note-' || n % 100, 'page-' || n, now(), md5(n::text)
            FROM generate_series(1, \(count)) AS n
            """
        )
        try await make(indexes)
        try await database.settle("sync_state")
    }

    /// The statements that make the indexes again which a constraint does not hold.
    private func dropIndexes(of table: String) async throws -> [String] {
        let rows = try await database.pool.query(
            """
            SELECT c.relname::text AS name, pg_get_indexdef(i.indexrelid) AS definition
            FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
            WHERE i.indrelid = \(table)::regclass
                AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
            """
        )
        var definitions: [String] = []
        for row in rows {
            definitions.append(try row.decode("definition"))
            try await database.pool.execute("DROP INDEX \(identifier: try row.decode("name", as: String.self))")
        }
        return definitions
    }

    private func make(_ indexes: [String]) async throws {
        try await database.pool.withConnection { connection in
            // The server's own words, from its catalogue.
            for definition in indexes { try await connection.runScript(definition, timeout: .none) }
        }
    }
}
