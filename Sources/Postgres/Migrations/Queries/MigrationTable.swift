import CLibPQ
import Foundation

/// A row of `sync_schema_migrations`.
struct AppliedMigration: Sendable {
    let version: Int
    let name: String
    let checksum: String
    let appliedAt: Date
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

    func createMigrationTable() async throws {
        try await execute(
            """
            CREATE TABLE IF NOT EXISTS sync_schema_migrations (
                version int PRIMARY KEY,
                name text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
    }

    func appliedMigrations() async throws -> [Int: AppliedMigration] {
        let rows = try await query("SELECT version, name, checksum, applied_at FROM sync_schema_migrations")
        var applied: [Int: AppliedMigration] = [:]
        for row in rows {
            let version = try row.decode("version", as: Int.self)
            applied[version] = AppliedMigration(
                version: version,
                name: try row.decode("name"),
                checksum: try row.decode("checksum"),
                appliedAt: try row.decode("applied_at")
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
            INSERT INTO sync_schema_migrations (version, name, checksum)
            VALUES (\(migration.version), \(migration.name),
                encode(sha256(convert_to(\(migration.sql), 'UTF8')), 'hex'))
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
