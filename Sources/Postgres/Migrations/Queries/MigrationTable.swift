import CLibPQ
import Foundation

/// A row of `sync_schema_migrations`.
struct AppliedMigration: Sendable {
    let version: Int
    let name: String
    /// Whether the text that was applied is the one this program knows.
    let isAsKnown: Bool
    let appliedAt: Date
    /// The version that a program must know at least.
    let compatibleFrom: Int
}

/// The statements on `sync_schema_migrations`. The table has a row per migration and needs no index but its key.
extension PostgresConnection {
    /// Waits until no other migrator is at work in this database, until the end of the transaction. A lock of the
    /// table, which is for its owner alone; an advisory lock could be held by whoever may connect.
    func lockMigrations() async throws {
        try await execute("LOCK TABLE sync_schema_migrations IN SHARE ROW EXCLUSIVE MODE", timeout: .none)
    }

    func hasMigrationTable() async throws -> Bool {
        let rows = try await query("SELECT to_regclass('sync_schema_migrations') IS NOT NULL AS present")
        return try rows.first?.decode("present") ?? false
    }

    func createMigrationTables() async throws {
        try await execute(
            """
            CREATE TABLE IF NOT EXISTS sync_schema_migrations (
                version int PRIMARY KEY,
                name text NOT NULL,
                checksum text NOT NULL,
                compatible_from int NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        // One row while an online migration is at work: the server process of its session, which every role can see.
        try await execute(
            """
            CREATE TABLE IF NOT EXISTS sync_schema_lease (
                is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
                backend int NOT NULL
            )
            """
        )
    }

    /// Waits two seconds at most for each lock of a table, until the end of the transaction: everybody who wants the
    /// table waits behind this.
    func limitLockWaits() async throws {
        try await execute("SET LOCAL lock_timeout = '2s'")
    }

    /// Takes the lease of online migrations, which holds as long as the session that took it.
    ///
    /// - Returns: false if another session has it.
    func acquireMigrationLease() async throws -> Bool {
        let rows = try await query(
            """
            INSERT INTO sync_schema_lease AS l (backend) VALUES (pg_backend_pid())
            ON CONFLICT (is_only) DO UPDATE SET backend = excluded.backend
            WHERE NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = l.backend)
            RETURNING backend
            """
        )
        return !rows.isEmpty
    }

    func releaseMigrationLease() async throws {
        try await execute("DELETE FROM sync_schema_lease WHERE backend = pg_backend_pid()")
    }

    /// Whether a step of an online migration is to run.
    func meetsCondition(of step: String) async throws -> Bool {
        guard let condition = Migration.condition(of: step) else { return true }
        let row = try await query(PostgresQuery(stringLiteral: "SELECT coalesce(\(condition), false) AS holds")).first
        return try row?.decode("holds") ?? false
    }

    /// Drops what a build that was broken off has left of the index that a statement makes.
    func dropInvalidIndex(madeBy statement: String) async throws {
        let pattern = /CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+([a-z_]+)/
        guard let name = statement.firstMatch(of: pattern).map({ String($0.1) }) else { return }
        let rows = try await query(
            "SELECT FROM pg_index WHERE indexrelid = to_regclass(quote_ident(\(name))) AND NOT indisvalid"
        )
        if !rows.isEmpty { try await execute("DROP INDEX CONCURRENTLY \(identifier: name)", timeout: .none) }
    }

    /// What was applied, by version. The checksums of the scripts are computed by the server, so that no second
    /// SHA-256 is needed here.
    func appliedMigrations(comparedWith known: [Migration]) async throws -> [Int: AppliedMigration] {
        let rows = try await query(
            """
            SELECT a.version, a.name, a.applied_at, a.compatible_from,
                coalesce(a.checksum = encode(sha256(convert_to(k.sql, 'UTF8')), 'hex'), false) AS is_as_known
            FROM sync_schema_migrations AS a
            LEFT JOIN unnest(\(known.map(\.version)), \(known.map(\.sql))) AS k (version, sql) ON k.version = a.version
            """
        )
        var applied: [Int: AppliedMigration] = [:]
        for row in rows {
            let version = try row.decode("version", as: Int.self)
            applied[version] = AppliedMigration(
                version: version,
                name: try row.decode("name"),
                isAsKnown: try row.decode("is_as_known"),
                appliedAt: try row.decode("applied_at"),
                compatibleFrom: try row.decode("compatible_from")
            )
        }
        return applied
    }

    func record(_ migration: Migration) async throws {
        try await execute(
            """
            INSERT INTO sync_schema_migrations (version, name, checksum, compatible_from)
            VALUES (\(migration.version), \(migration.name),
                encode(sha256(convert_to(\(migration.sql), 'UTF8')), 'hex'), \(migration.compatibleFrom))
            """
        )
    }

    /// Throws if a script has ended the transaction that it runs in.
    func requireTransaction(after migration: Migration) throws {
        guard let handle, PQtransactionStatus(handle.pointer) == PQTRANS_INTRANS else {
            throw PostgresError(
                .migrationFailed,
                "Migration \(migration.fileName) ends its transaction itself: take BEGIN, COMMIT and ROLLBACK out of it"
            )
        }
    }
}
