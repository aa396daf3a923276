import Support

/// The applier of migrations: in order, each in its own transaction together with its record, and once whatever number
/// of migrators run at the same time.
///
/// The lock it takes belongs to a transaction, so it works through PgBouncer in transaction mode. A migration waits
/// only for a moment for the lock of a table in use, since whoever comes after it waits too; then it tries again.
/// Online migrations run outside a transaction, one migrator at a time.
public struct Migrator: Sendable {
    /// The migrations this program knows, oldest first.
    public let migrations: [Migration]

    public init(migrations: [Migration]) {
        self.migrations = migrations
    }

    /// Where each known and each applied migration stands, by version.
    public func status(on connection: PostgresConnection) async throws -> [MigrationStatus] {
        try validateOrder()
        guard try await connection.hasMigrationTable() else {
            return migrations.map {
                MigrationStatus(
                    version: $0.version,
                    name: $0.name,
                    state: .pending,
                    compatibleFrom: $0.compatibleFrom
                )
            }
        }
        return status(of: try await connection.appliedMigrations(comparedWith: migrations))
    }

    private func status(of applied: [Int: AppliedMigration]) -> [MigrationStatus] {
        let known = migrations.map { migration in
            MigrationStatus(
                version: migration.version,
                name: migration.name,
                state: state(of: migration, applied[migration.version]),
                compatibleFrom: migration.compatibleFrom
            )
        }
        let unknown = applied.values.filter { record in !migrations.contains { $0.version == record.version } }
        return (known + unknown.map(status(ofUnknown:))).sorted { $0.version < $1.version }
    }

    /// A program is as new as the newest migration it knows, and that is the number a migration's `compatibleFrom` is
    /// compared with. So a deployment or a rollback over compatible migrations stops nobody.
    private func status(ofUnknown record: AppliedMigration) -> MigrationStatus {
        MigrationStatus(
            version: record.version,
            name: record.name,
            state: record.compatibleFrom <= newestVersion
                ? .newer(appliedAt: record.appliedAt) : .unknown(appliedAt: record.appliedAt),
            compatibleFrom: record.compatibleFrom
        )
    }

    private var newestVersion: Int { migrations.last?.version ?? 0 }

    /// Applies the missing migrations and gives those that this call applied.
    ///
    /// Throws a ``PostgresError`` with code `migrationChanged`, `migrationUnknown` or `migrationGap` before anything is
    /// done; `migrationFailed`, with the server's error as its cause, for a script that failed and left nothing behind.
    /// Statements of migrations have no timeout.
    @discardableResult
    public func migrate(on connection: PostgresConnection) async throws -> [Migration] {
        try await createTables(on: connection)
        var applied: [Migration] = []
        while let next = try await applyNext(on: connection) {
            applied.append(next)
        }
        return applied
    }

    /// What `CREATE TABLE IF NOT EXISTS` fails with where another makes the table, and so its row type, at the same
    /// time: by the moment at which they meet.
    private static let collision: [SQLState?] = [.uniqueViolation, .duplicateTable, .duplicateObject]

    /// Makes the migrator's own tables. Others may do so at the same time and be first, with each of them.
    private func createTables(on connection: PostgresConnection) async throws {
        var collisions = 0
        while true {
            do {
                return try await connection.createMigrationTables()
            } catch let error as PostgresError
                where Self.collision.contains(error.sqlState) && collisions < 10
            {
                collisions += 1
            }
        }
    }

    /// Throws a ``PostgresError`` with code `migrationPending` that says what to do if migrations are still to be
    /// applied, and as ``migrate(on:)`` if what was applied does not fit.
    ///
    /// - Returns: a warning if newer migrations were applied than this program knows, and it can run with them.
    @discardableResult
    public func checkCurrent(on connection: PostgresConnection) async throws -> String? {
        let status = try await status(on: connection)
        try status.validate()
        let pending = status.pendingFileNames
        guard pending.isEmpty else {
            throw PostgresError(
                .migrationPending,
                "The database is not up to date (\(pending.joined(separator: ", ")) pending): run `syncctl migrate`"
            )
        }
        return status.warning
    }

    /// Looks only at what was applied: one statement, for a program that ends soon and that the database itself tells
    /// of a table that is not there yet.
    ///
    /// - Returns: a warning if newer migrations were applied than this program knows, and it can run with them.
    /// - Throws: as ``migrate(on:)`` if what was applied does not fit.
    public func checkApplied(on connection: PostgresConnection) async throws -> String? {
        do {
            let status = status(of: try await connection.appliedMigrations(comparedWith: migrations))
            try status.validate()
            return status.warning
        } catch let error as PostgresError where error.sqlState == .undefinedTable {
            return nil
        }
    }

    /// How often a migration is tried whose locks were not to be had, and how long it waits between.
    private static let lockAttempts = 60
    private static let lockPause = Duration.milliseconds(500)

    /// Applies the oldest pending migration; nil if there is none.
    private func applyNext(on connection: PostgresConnection) async throws -> Migration? {
        var attempt = 1
        while true {
            do {
                guard let next = try await applyNextInTransaction(on: connection) else { return nil }
                guard next.isOnline else { return next }
                if try await applyOnline(next, on: connection) { return next }
                // Another migrator is at work on it.
                try await DeadlineQueue.shared.sleep(for: Self.lockPause)
            } catch let error as PostgresError
                where (error.cause as? PostgresError)?.sqlState == .lockNotAvailable && attempt < Self.lockAttempts
            {
                attempt += 1
                try await DeadlineQueue.shared.sleep(for: Self.lockPause)
            }
        }
    }

    /// Applies the oldest pending migration in a transaction, unless it is online; nil if there is none.
    private func applyNextInTransaction(on connection: PostgresConnection) async throws -> Migration? {
        try await connection.transaction { connection in
            try await connection.lockMigrations()
            // Only now, under the lock: another migrator may just have applied it.
            guard let migration = try await nextPending(on: connection) else { return nil }
            guard !migration.isOnline else { return migration }
            try await connection.limitLockWaits()
            do {
                try await connection.runScript(migration.sql, timeout: .none)
            } catch let error as PostgresError {
                throw PostgresError(
                    .migrationFailed,
                    "Migration \(migration.fileName) failed and was rolled back: \(error)",
                    cause: error
                )
            }
            try await connection.requireTransaction(after: migration)
            try await connection.record(migration)
            return migration
        }
    }

    /// Runs the steps of an online migration, each in its own transaction.
    ///
    /// - Returns: false if another migrator is at work on it.
    private func applyOnline(_ migration: Migration, on connection: PostgresConnection) async throws -> Bool {
        guard try await connection.acquireMigrationLease() else { return false }
        do {
            // Another migrator may have applied it before the lease was free.
            if try await nextPending(on: connection) == migration {
                for step in migration.steps {
                    guard try await connection.meetsCondition(of: step) else { continue }
                    try await connection.dropInvalidIndex(madeBy: step)
                    try await connection.runScript(step, timeout: .none)
                }
                try await connection.record(migration)
            }
            try await connection.releaseMigrationLease()
            return true
        } catch let error as PostgresError {
            try? await connection.releaseMigrationLease()
            throw PostgresError(
                .migrationFailed,
                "Migration \(migration.fileName) failed; what it has done stays, and it goes on from there when it is run again: \(error)",
                cause: error
            )
        }
    }

    private func nextPending(on connection: PostgresConnection) async throws -> Migration? {
        let status = try await status(on: connection)
        try status.validate()
        guard let pending = status.first(where: { $0.state == .pending }) else { return nil }
        return migrations.first { $0.version == pending.version }
    }

    private func state(
        of migration: Migration,
        _ record: AppliedMigration?
    ) -> MigrationStatus.State {
        guard let record else { return .pending }
        guard record.name == migration.name else {
            return .replaced(appliedName: record.name, appliedAt: record.appliedAt)
        }
        return record.isAsKnown ? .applied(at: record.appliedAt) : .changed(appliedAt: record.appliedAt)
    }

    private func validateOrder() throws {
        for migration in migrations where !migration.isCompatibilityValid {
            throw PostgresError(
                .invalidMigrations,
                "Migration \(migration.fileName) has to say `-- compatible from: N` with a number from 1 to its own"
            )
        }
        for (earlier, later) in zip(migrations, migrations.dropFirst()) where later.version != earlier.version + 1 {
            throw PostgresError(
                .invalidMigrations,
                "Migration \(later.fileName) does not follow \(earlier.fileName): number the files without gaps"
            )
        }
    }
}

extension Migrator {
    /// Where each known and each applied migration stands, by version.
    public func status(on pool: PostgresPool) async throws -> [MigrationStatus] {
        try await pool.withConnection { try await status(on: $0) }
    }

    /// Applies the missing migrations and gives those that this call applied. Throws as
    /// ``migrate(on:)-(PostgresConnection)``.
    @discardableResult
    public func migrate(on pool: PostgresPool) async throws -> [Migration] {
        try await pool.withConnection { try await migrate(on: $0) }
    }

    /// What is still to be applied, with its locks. Throws as ``migrate(on:)-(PostgresPool)`` if what was applied does
    /// not fit.
    public func plan(on pool: PostgresPool) async throws -> [MigrationPlan] {
        let status = try await status(on: pool)
        try status.validate()
        let pending = Set(status.filter { $0.state == .pending }.map(\.version))
        return migrations.filter { pending.contains($0.version) }.map(MigrationPlan.init(of:))
    }

    /// As ``checkCurrent(on:)-(PostgresConnection)``.
    @discardableResult
    public func checkCurrent(on pool: PostgresPool) async throws -> String? {
        try await pool.withConnection { try await checkCurrent(on: $0) }
    }

    /// As ``checkApplied(on:)-(PostgresConnection)``.
    public func checkApplied(on pool: PostgresPool) async throws -> String? {
        try await pool.withConnection { try await checkApplied(on: $0) }
    }
}
