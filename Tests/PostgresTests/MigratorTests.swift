import Postgres
import TestSupport
import Testing

/// Migrations: their order, their record and what does not fit.
@Suite(.database())
struct MigratorTests {
    private let first = Migration(
        version: 1,
        name: "first",
        sql: "CREATE TABLE a (n int);\nINSERT INTO a VALUES (1);\n"
    )
    private let second = Migration(version: 2, name: "second", sql: "CREATE TABLE b (n int);")

    private func states(_ migrator: Migrator) async throws -> [String] {
        try await migrator.status(on: TestDatabase.current.pool).map { status in
            switch status.state {
            case .applied: "\(status.fileName) applied"
            case .pending: "\(status.fileName) pending"
            case .changed: "\(status.fileName) changed"
            case .unknown: "\(status.fileName) unknown"
            }
        }
    }

    @Test func appliesInOrderAndOnce() async throws {
        let pool = try TestDatabase.current.pool
        let migrator = Migrator(migrations: [first, second])
        let pending = await expectPostgresError(.migrationPending) { try await migrator.checkCurrent(on: pool) }
        #expect(pending?.message.contains("0001_first.sql, 0002_second.sql") == true)
        #expect(pending?.message.contains("syncctl migrate") == true)
        #expect(try await states(migrator) == ["0001_first.sql pending", "0002_second.sql pending"])
        #expect(try await Migrator(migrations: [first]).migrate(on: pool) == [first])
        #expect(try await states(migrator) == ["0001_first.sql applied", "0002_second.sql pending"])
        #expect(try await migrator.migrate(on: pool) == [second])
        #expect(try await migrator.migrate(on: pool) == [])
        try await migrator.checkCurrent(on: pool)
        let row = try await pool.query(
            "SELECT name, checksum, applied_at > now() - interval '1 minute' AS recent FROM sync_schema_migrations WHERE version = 2"
        )[0]
        #expect(try row.decode("name", as: String.self) == "second")
        #expect(try row.decode("checksum", as: String.self).count == 64)
        #expect(try row.decode("recent", as: Bool.self))
    }

    @Test func manyMigratorsAtOnceAllSucceed() async throws {
        let pool = try TestDatabase.current.pool
        let migrator = Migrator(migrations: [first, second])
        let applied = try await withThrowingTaskGroup(of: [Migration].self) { group in
            for _ in 0..<6 {
                group.addTask { try await migrator.migrate(on: pool) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.sorted { $0.version < $1.version } == [first, second])
        #expect(try await pool.query("SELECT n FROM a").count == 1)
    }

    @Test func aChangedMigrationIsRefused() async throws {
        let pool = try TestDatabase.current.pool
        try await Migrator(migrations: [first]).migrate(on: pool)
        var changed = first
        changed.sql += "-- edited"
        let migrator = Migrator(migrations: [changed, second])
        #expect(try await states(migrator) == ["0001_first.sql changed", "0002_second.sql pending"])
        let error = await expectPostgresError(.migrationChanged) { try await migrator.migrate(on: pool) }
        #expect(error?.message.contains("0001_first.sql") == true)
        await expectPostgresError(.migrationChanged) { try await migrator.checkCurrent(on: pool) }
    }

    @Test func anUnknownMigrationIsRefused() async throws {
        let pool = try TestDatabase.current.pool
        try await Migrator(migrations: [first, second]).migrate(on: pool)
        let older = Migrator(migrations: [first])
        #expect(try await states(older) == ["0001_first.sql applied", "0002_second.sql unknown"])
        let error = await expectPostgresError(.migrationUnknown) { try await older.migrate(on: pool) }
        #expect(error?.message.contains("0002_second.sql") == true)
    }

    @Test func gapsAreRefused() async throws {
        let pool = try TestDatabase.current.pool
        let third = Migration(version: 3, name: "third", sql: "SELECT 1")
        await expectPostgresError(.invalidMigrations) {
            try await Migrator(migrations: [first, third]).migrate(on: pool)
        }
        try await Migrator(migrations: [first, second]).migrate(on: pool)
        try await pool.execute("DELETE FROM sync_schema_migrations WHERE version = 1")
        let error = await expectPostgresError(.migrationGap) {
            try await Migrator(migrations: [first, second]).migrate(on: pool)
        }
        #expect(error?.message.contains("0001_first.sql") == true)
    }

    @Test func aFailingScriptLeavesNothing() async throws {
        let pool = try TestDatabase.current.pool
        let broken = Migration(
            version: 2,
            name: "broken",
            sql: "CREATE TABLE b (n int); SELECT 1/0; CREATE TABLE c (n int)"
        )
        let migrator = Migrator(migrations: [first, broken])
        let error = await expectPostgresError(.migrationFailed) { try await migrator.migrate(on: pool) }
        #expect((error?.cause as? PostgresError)?.sqlState == .divisionByZero)
        #expect(error?.message.contains("0002_broken.sql") == true)
        #expect(try await states(migrator) == ["0001_first.sql applied", "0002_broken.sql pending"])
        let left = try await pool.query("SELECT (to_regclass('b') IS NULL AND to_regclass('c') IS NULL) AS clean")
        #expect(try left[0].decode("clean", as: Bool.self))
        #expect(try await Migrator(migrations: [first, second]).migrate(on: pool) == [second])
    }

    @Test func aScriptMayNotEndItsTransaction() async throws {
        let pool = try TestDatabase.current.pool
        let own = Migration(version: 1, name: "own", sql: "BEGIN; CREATE TABLE a (n int); COMMIT;")
        await expectPostgresError(.migrationFailed) { try await Migrator(migrations: [own]).migrate(on: pool) }
    }
}
