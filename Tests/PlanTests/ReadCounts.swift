import Postgres

/// What statements have read, as the server counts it: for each table the rows read by scanning it, for each index the
/// entries read from it.
struct ReadCounts: CustomStringConvertible {
    /// Scans of whole tables, by table.
    private(set) var tableScans: [String: Int] = [:]
    /// Rows read by them.
    private(set) var scannedRows = 0
    /// Looks into an index, by index.
    private(set) var indexScans: [String: Int] = [:]
    /// Entries read from them.
    private(set) var indexEntries = 0

    /// Counts what `body` reads, in a transaction that is rolled back.
    static func of(_ connection: PostgresConnection, _ body: () async throws -> Void) async throws -> ReadCounts {
        try await connection.execute("BEGIN")
        do {
            let before = try await counters(connection)
            try await body()
            let after = try await counters(connection)
            try await connection.execute("ROLLBACK")
            return ReadCounts(from: before, to: after)
        } catch {
            try await connection.execute("ROLLBACK")
            throw error
        }
    }

    private struct Counter {
        var isIndex: Bool
        var scans: Int
        var rows: Int
    }

    private init(from before: [String: Counter], to after: [String: Counter]) {
        for (name, counter) in after {
            let scans = counter.scans - (before[name]?.scans ?? 0)
            let rows = counter.rows - (before[name]?.rows ?? 0)
            guard scans > 0 else { continue }
            if counter.isIndex {
                indexScans[name] = scans
                indexEntries += rows
            } else {
                tableScans[name] = scans
                scannedRows += rows
            }
        }
    }

    private static func counters(_ connection: PostgresConnection) async throws -> [String: Counter] {
        let rows = try await connection.query(
            """
            SELECT relname::text AS name, relkind = 'i' AS is_index, pg_stat_get_xact_numscans(oid) AS scans,
                pg_stat_get_xact_tuples_returned(oid) AS rows
            FROM pg_class
            WHERE relkind IN ('r', 'i') AND relname LIKE 'sync\\_%'
            """
        )
        var counters: [String: Counter] = [:]
        for row in rows {
            counters[try row.decode("name")] = Counter(
                isIndex: try row.decode("is_index"),
                scans: try row.decode("scans"),
                rows: try row.decode("rows")
            )
        }
        return counters
    }

    var description: String {
        "tables scanned: \(tableScans) with \(scannedRows) rows; indexes: \(indexScans) with \(indexEntries) entries"
    }
}
