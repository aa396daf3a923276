import ArgumentParser
import Postgres
import SyncSchema

/// `syncctl migrate`.
struct MigrateCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the database's tables up to date.",
        discussion: """
            Creates the tables on an empty database and takes over those of an existing installation with their rows. May be \
            run at any time and by several at once; what is applied already is left alone.

            Taking over ends what the other service left behind: jobs that have been queued or running for more than a day \
            are marked failed, younger ones are run. No other row changes. After a rollback to that service, stop it again \
            and use --take-over.

            The role of DATABASE_URL becomes the owner of the tables and needs CREATE on the schema. From PostgreSQL 15 on only \
            the owner of the database has that. With the roles of deploy/roles.sql, migrate as the owner that it makes and run \
            the file again afterwards: PGOPTIONS='-c role=sync_owner' syncctl migrate

            Examples:
              syncctl migrate
              syncctl migrate --status      # exit code 1 if this program can't run so
              syncctl migrate --dry-run     # the SQL that would run, with its locks
              syncctl migrate --take-over   # after a rollback: end what was left since

            A migration waits two seconds at most for the lock of a table in use, then lets it go and tries again. Migrations \
            whose name ends in _online run beside the programs and may take long on large tables; run again, one that was \
            broken off goes on where it stopped.

            On PostgreSQL 15 and later nobody may create tables in the schema "public" but its owner: GRANT CREATE ON SCHEMA \
            public TO the role that migrates, or give it a schema of its own and set its search_path.
            """
    )

    @Flag(name: .customLong("status"), help: "Change nothing; show each migration and where it stands.")
    var showsStatus = false
    @Flag(name: .customLong("take-over"), help: "Take over once more what the replaced service has left.")
    var takesOverAgain = false
    @Flag(name: .customLong("dry-run"), help: "Change nothing; print the SQL of what is pending, with its locks.")
    var isDryRun = false
    @OptionGroup var json: JSONOption

    /// It shows what there is, or checks it itself.
    var checksTables: Bool { false }

    /// On an empty database there is nothing yet that the file of roles could give rights on.
    static let rightsAdvice =
        "Migrating, and taking over, is for the owner of the tables, who needs CREATE on the schema. With the roles of "
        + "deploy/roles.sql: run it once with -v prepare=yes, then PGOPTIONS='-c role=sync_owner' syncctl migrate, as a member of that "
        + "role. Without them: GRANT CREATE ON SCHEMA public TO the role that migrates. See: syncctl migrate --help"

    func validate() throws {
        if showsStatus, takesOverAgain {
            throw ValidationError("--status changes nothing: leave out --status or --take-over.")
        }
        if isDryRun, showsStatus || takesOverAgain {
            throw ValidationError("--dry-run prints what migrating would run: leave out --status and --take-over.")
        }
    }

    var outcomeCheck: String? { showsStatus || isDryRun ? nil : "syncctl migrate --status" }

    func run(_ session: DatabaseSession) async throws {
        let migrator = Migrator(migrations: SyncSchema.migrations)
        if isDryRun {
            try await session.checkAppliedMigrations()
            let plans = try await migrator.plan(on: session.pool)
            if json.isWanted { return try Self.json(plans).print() }
            try print(plans)
        } else if showsStatus {
            for table in try await session.pool.narrowTables() {
                try StandardStream.error.line(
                    "\(table.name).id is an int (\(table.size)); migrating makes it a bigint, beside the programs that use it."
                )
            }
            try await show(migrator.status(on: session.pool))
        } else {
            try await session.checkAppliedMigrations()
            let before = try await TakeOver.last(on: session.pool)
            let applied = try await LockWaits(pool: session.pool).reporting {
                // A role that may not create tables may find that there are none to create.
                try await migrator.plan(on: session.pool).isEmpty ? [] : migrator.migrate(on: session.pool)
            }
            var takeOver = try await TakeOver.last(on: session.pool)
            if takeOver == before { takeOver = nil }
            // The migration that makes the tables has taken over already.
            if takesOverAgain, takeOver == nil {
                takeOver = try await LockWaits(pool: session.pool).reporting {
                    try await TakeOver.again(on: session.pool)
                }
            }
            try report(applied, takeOver)
        }
    }

    private func print(_ plans: [MigrationPlan]) throws {
        guard !plans.isEmpty else { return try StandardStream.output.line(Self.nothingToDo) }
        for plan in plans {
            let how = plan.migration.isOnline ? "statement by statement, outside a transaction" : "in one transaction"
            try StandardStream.output.line("-- \(plan.migration.fileName), \(how)")
            for statement in plan.statements {
                try StandardStream.output.line("")
                if let condition = statement.condition {
                    try StandardStream.output.line("-- only where: \(condition)")
                }
                if let lock = statement.lock { try StandardStream.output.line("-- locks: \(lock)") }
                try StandardStream.output.line(statement.sql)
            }
            try StandardStream.output.line("")
        }
    }

    private static let nothingToDo = "Nothing to do: the database is up to date."

    private static func json(_ plans: [MigrationPlan]) -> JSONValue {
        let pending = plans.map { plan -> JSONValue in
            let statements = plan.statements.map { statement -> JSONValue in
                [
                    "sql": .string(statement.sql), "locks": .string(statement.lock),
                    "condition": .string(statement.condition),
                ]
            }
            return [
                "name": .string(plan.migration.fileName), "online": .bool(plan.migration.isOnline),
                "statements": .array(statements),
            ]
        }
        return ["pending": .array(pending)]
    }

    private func report(_ applied: [Migration], _ takeOver: TakeOver?) throws {
        if json.isWanted {
            let report: JSONValue = [
                "applied": .array(applied.map { .string($0.fileName) }), "take_over": takeOver?.json ?? .null,
            ]
            return try report.report(inWords: lines(applied, takeOver).joined(separator: "\n"))
        }
        try StandardStream.report(lines(applied, takeOver).joined(separator: "\n"))
    }

    private func lines(_ applied: [Migration], _ takeOver: TakeOver?) -> [String] {
        let lines = applied.map { "Applied \($0.fileName)" }
        if let takeOver { return lines + takeOver.lines }
        if takesOverAgain { return lines + ["There is nothing to take over: the tables are empty."] }
        return applied.isEmpty ? [Self.nothingToDo] : lines
    }

    private func show(_ migrations: [MigrationStatus]) throws {
        if json.isWanted {
            try JSONValue.array(migrations.map(\.json)).print()
        } else {
            try StandardStream.output.write(Self.table(migrations).text(on: .output))
        }
        if let warning = migrations.warning { StandardStream.error.note("\(warning).") }
        if let misfit = migrations.first(where: { $0.state != .pending && !$0.state.isFit }) {
            throw SyncControlError(.refused, "Migration \(misfit.fileName) \(misfit.state.explanation).")
        }
        // One that is missing below others: migrating refuses that too.
        do { try migrations.validate() } catch let error as PostgresError {
            throw SyncControlError(.refused, error.asSentence, cause: error)
        }
        let pending = migrations.count { $0.state == .pending }
        if pending > 0 {
            throw SyncControlError(
                .refused,
                "\(pending) of \(migrations.count) migrations pending. Run: syncctl migrate"
            )
        }
    }

    private static func table(_ migrations: [MigrationStatus]) -> TextTable {
        var table = TextTable([
            .init(title: "MIGRATION"), .init(title: "STATE"), .init(title: "APPLIED"),
            .init(title: "COMPATIBLE FROM", alignment: .right, minimumWidth: 10),
        ])
        for migration in migrations {
            table.add(
                migration.fileName,
                migration.state.word,
                migration.state.appliedAt.map(TimeText.full) ?? "-",
                "\(migration.compatibleFrom)"
            )
        }
        return table
    }
}

extension PostgresPool {
    /// The public tables whose rows are counted by an int, with their sizes.
    fileprivate func narrowTables() async throws -> [(name: String, size: String)] {
        try await query(
            """
            SELECT c.relname::text AS name, pg_size_pretty(pg_total_relation_size(c.oid)) AS size
            FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
            WHERE c.oid IN (to_regclass('sync_state'), to_regclass('sync_logs'))
                AND a.attname = 'id' AND a.atttypid = 'int'::regtype
            ORDER BY 1
            """
        ).map { (try $0.decode("name"), try $0.decode("size")) }
    }
}
