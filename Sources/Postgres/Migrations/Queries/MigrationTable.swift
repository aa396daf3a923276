import CLibPQ
import Foundation

/// A row of `sync_schema_migrations`.
struct AppliedMigration: Sendable {
    let version: Int
    let name: String
    let checksum: String
    let appliedAt: Date
    /// The version that a program must know at least.
    let compatibleFrom: Int
}

/// The statements on `sync_schema_migrations`. The table has a row per migration and needs no index but its key.
extension PostgresConnection {
    /// Waits until no other migrator is at work in this database, until the end of the transaction.
    func lockMigrations() async throws {
        try await execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('sync_schema_migrations', 0))",
            timeout: .none
        )
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

    /// Waits two seconds at most for each lock of a table, until the end of the transaction: everybody who wants the table
    /// waits behind this.
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

    /// Drops what a build that was broken off has left of the index that a statement makes.
    func dropInvalidIndex(madeBy statement: String) async throws {
        let pattern = /CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+([a-z_]+)/
        guard let name = statement.firstMatch(of: pattern).map({ String($0.1) }) else { return }
        let rows = try await query(
            "SELECT FROM pg_index WHERE indexrelid = to_regclass(quote_ident(\(name))) AND NOT indisvalid"
        )
        if !rows.isEmpty { try await execute("DROP INDEX CONCURRENTLY \(identifier: name)", timeout: .none) }
    }

    /// What was applied, by version; only what comes after a version if one is given.
    func appliedMigrations(after version: Int = 0) async throws -> [Int: AppliedMigration] {
        let rows = try await query(
            """
            SELECT version, name, checksum, applied_at, compatible_from FROM sync_schema_migrations
            WHERE version > \(version)
            """
        )
        var applied: [Int: AppliedMigration] = [:]
        for row in rows {
            let version = try row.decode("version", as: Int.self)
            applied[version] = AppliedMigration(
                version: version,
                name: try row.decode("name"),
                checksum: try row.decode("checksum"),
                appliedAt: try row.decode("applied_at"),
                compatibleFrom: try row.decode("compatible_from")
            )
        }
        return applied
    }

    /// The checksums of the scripts by version, computed by the server so that no second SHA-256 is needed here.
    func checksums(of migrations: [Migration]) async throws -> [Int: String] {
        let rows = try await query(
            """
            SELECT version, encode(sha256(convert_to(sql, 'UTF8')), 'hex') AS checksum
            FROM unnest(\(migrations.map(\.version)), \(migrations.map(\.sql))) AS known (version, sql)
            """
        )
        var checksums: [Int: String] = [:]
        for row in rows {
            checksums[try row.decode("version")] = try row.decode("checksum", as: String.self)
        }
        return checksums
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
