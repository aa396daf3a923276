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
            case .replaced(let name, _): "\(status.fileName) replaced \(name)"
            case .newer: "\(status.fileName) newer"
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

    @Test func aDatabaseOfAnUnreleasedVersionGetsOneClearLine() async throws {
        let pool = try TestDatabase.current.pool
        var old = first
        old.name = "tables"
        try await Migrator(migrations: [old, second]).migrate(on: pool)
        let migrator = Migrator(migrations: [first])
        #expect(try await states(migrator) == ["0001_first.sql replaced tables", "0002_second.sql unknown"])
        let error = await expectPostgresError(.migrationChanged) { try await migrator.migrate(on: pool) }
        #expect(error?.message.contains("0001_tables.sql where this program has 0001_first.sql") == true)
        #expect(error?.message.contains("\n") == false)
    }

    @Test func anUnknownMigrationIsRefused() async throws {
        let pool = try TestDatabase.current.pool
        try await Migrator(migrations: [first, second]).migrate(on: pool)
        let older = Migrator(migrations: [first])
        #expect(try await states(older) == ["0001_first.sql applied", "0002_second.sql unknown"])
        let error = await expectPostgresError(.migrationUnknown) { try await older.migrate(on: pool) }
        #expect(error?.message.contains("0002_second.sql") == true)
    }

    @Test func aNewerMigrationSaysWhoCanRunWithIt() async throws {
        let pool = try TestDatabase.current.pool
        let compatible = Migration(version: 2, name: "second", sql: "-- A head.\n-- compatible from: 1\nSELECT 1")
        var third = Migration(version: 3, name: "third", sql: "-- compatible from: 2\nSELECT 1")
        let older = Migrator(migrations: [first])
        try await Migrator(migrations: [first, compatible]).migrate(on: pool)
        #expect(try await states(older) == ["0001_first.sql applied", "0002_second.sql newer"])
        for warning in [try await older.checkCurrent(on: pool), try await older.checkApplied(on: pool)] {
            #expect(warning?.contains("newer than this program (0002_second.sql)") == true)
        }
        #expect(try await older.migrate(on: pool) == [])
        #expect(try await Migrator(migrations: [first, compatible]).checkCurrent(on: pool) == nil)
        // Of several the strictest counts.
        try await Migrator(migrations: [first, compatible, third]).migrate(on: pool)
        await expectPostgresError(.migrationUnknown) { _ = try await older.checkApplied(on: pool) }
        await expectPostgresError(.migrationUnknown) { try await older.checkCurrent(on: pool) }
        #expect(try await Migrator(migrations: [first, compatible]).checkApplied(on: pool) != nil)
        for invalid in ["0", "4", "-1", "x", ""] {
            third.sql = "-- compatible from: \(invalid)\nSELECT 1"
            await expectPostgresError(.invalidMigrations) {
                _ = try await Migrator(migrations: [first, compatible, third]).status(on: pool)
            }
        }
    }

    /// What a program that ends soon looks at, in one statement.
    @Test func whatWasAppliedIsComparedWithoutWhatIsPending() async throws {
        let pool = try TestDatabase.current.pool
        let second = Migration(version: 2, name: "second", sql: "SELECT 2")
        try await Migrator(migrations: [first]).migrate(on: pool)
        #expect(try await Migrator(migrations: [first, second]).checkApplied(on: pool) == nil)
        var changed = first
        changed.sql += " -- other"
        await expectPostgresError(.migrationChanged) {
            _ = try await Migrator(migrations: [changed]).checkApplied(on: pool)
        }
        let replaced = Migration(version: 1, name: "other", sql: first.sql)
        await expectPostgresError(.migrationChanged) {
            _ = try await Migrator(migrations: [replaced]).checkApplied(on: pool)
        }
    }

    @Test func aDatabaseWithoutTablesIsNotNewer() async throws {
        #expect(try await Migrator(migrations: [first]).checkApplied(on: TestDatabase.current.pool) == nil)
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

    @Test func anOnlineMigrationGoesOnWhereItWasBrokenOff() async throws {
        let pool = try TestDatabase.current.pool
        let online = Migration(
            version: 2,
            name: "indexes_online",
            sql: """
                -- What it is for.

                -- STEP
                CREATE INDEX CONCURRENTLY IF NOT EXISTS a_n ON a (n);
                -- STEP
                DO $$ BEGIN COMMIT; IF (SELECT count(*) FROM a) > 1 THEN RAISE EXCEPTION 'two rows'; END IF; END $$;
                -- STEP
                CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_unique ON a (n);
                """
        )
        let migrator = Migrator(migrations: [first, online])
        try await Migrator(migrations: [first]).migrate(on: pool)
        try await pool.execute("INSERT INTO a VALUES (1)")
        let error = await expectPostgresError(.migrationFailed) { try await migrator.migrate(on: pool) }
        #expect(error?.message.contains("two rows") == true)
        #expect(try await states(migrator).last == "0002_indexes_online.sql pending")
        // What a build leaves that fails: the index is there and is not valid.
        await #expect(throws: PostgresError.self) {
            try await pool.execute("CREATE UNIQUE INDEX CONCURRENTLY a_unique ON a (n)")
        }
        try await pool.execute("DELETE FROM a WHERE ctid = (SELECT max(ctid) FROM a)")
        #expect(try await migrator.migrate(on: pool) == [online])
        let valid = try await pool.query("SELECT FROM pg_index WHERE indrelid = 'a'::regclass AND indisvalid")
        #expect(valid.count == 2)
        #expect(try await pool.query("SELECT FROM sync_schema_lease").isEmpty)
    }

    @Test func aMigrationDoesNotStandInTheQueueForALock() async throws {
        let pool = try TestDatabase.current.pool
        try await Migrator(migrations: [first]).migrate(on: pool)
        let change = Migration(version: 2, name: "change", sql: "ALTER TABLE a ADD COLUMN m int")
        let reader = try await TestDatabase.current.connect()
        try await reader.execute("BEGIN")
        try await reader.execute("SELECT FROM a")
        async let migrated = Migrator(migrations: [first, change]).migrate(on: pool)
        // Others get at the table between the tries.
        try await eventually(within: .seconds(20), "a migration that waits") {
            try await !pool.query("SELECT FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass").isEmpty
        }
        try await pool.execute("INSERT INTO a VALUES (2)", timeout: .after(.seconds(4)))
        try await reader.execute("COMMIT")
        await reader.close()
        #expect(try await migrated == [change])
    }

    @Test func aPlanNamesTheLocks() {
        let migration = Migration(
            version: 1,
            name: "plan",
            sql: """
                -- A comment; with a semicolon.
                CREATE TABLE b (n int DEFAULT 1, t text DEFAULT 'a;b');
                ALTER TABLE b ADD COLUMN m int;
                ALTER TABLE a
                    ADD COLUMN m int;
                CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ UPDATE a SET n = 1; $$;
                CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (n);
                CREATE UNIQUE INDEX j ON a (n);
                UPDATE a SET n = 2;
                """
        )
        let statements = MigrationPlan(of: migration).statements
        #expect(
            statements.map(\.lock) == [
                nil, nil, "ACCESS EXCLUSIVE on a", nil, "SHARE UPDATE EXCLUSIVE on a", "SHARE on a",
                "ROW EXCLUSIVE on a",
            ]
        )
        #expect(statements[4].sql == "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (n);")
    }

    @Test func aStepRunsOnlyWhereItsConditionHolds() async throws {
        let pool = try TestDatabase.current.pool
        let migration = Migration(
            version: 1,
            name: "steps_online",
            sql: """
                -- STEP
                CREATE TABLE a (n int);
                -- STEP
                -- WHERE to_regclass('b') IS NOT NULL
                CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS b_n ON b (n);
                -- STEP
                -- WHERE to_regclass('a') IS NOT NULL
                CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_n ON a (n);
                -- STEP
                -- locks: SHARE on a
                DO $$ BEGIN LOCK TABLE a IN SHARE MODE; END $$;
                """
        )
        let statements = MigrationPlan(of: migration).statements
        #expect(
            statements.map(\.lock) == [nil, "SHARE UPDATE EXCLUSIVE on b", nil, "SHARE on a"],
            "nobody uses a table that it has made"
        )
        #expect(
            statements.map(\.condition) == [nil, "to_regclass('b') IS NOT NULL", "to_regclass('a') IS NOT NULL", nil]
        )
        try await Migrator(migrations: [migration]).migrate(on: pool)
        let rows = try await pool.query("SELECT to_regclass('a_n') IS NOT NULL AS is_there")
        #expect(try rows.first?.decode("is_there") == true)
    }

    @Test func aScriptMayNotEndItsTransaction() async throws {
        let pool = try TestDatabase.current.pool
        let own = Migration(version: 1, name: "own", sql: "BEGIN; CREATE TABLE a (n int); COMMIT;")
        await expectPostgresError(.migrationFailed) { try await Migrator(migrations: [own]).migrate(on: pool) }
    }
}
