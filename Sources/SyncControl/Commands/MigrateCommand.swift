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
              syncctl migrate --status      (exit code 1 if the database is not up to date)
              syncctl migrate --take-over   (after a rollback: also end what the other service has left since)
            """
    )

    @Flag(name: .customLong("status"), help: "Change nothing; show each migration and where it stands.")
    var showsStatus = false
    @Flag(name: .customLong("take-over"), help: "Take over once more what the replaced service has left.")
    var takesOverAgain = false
    @OptionGroup var json: JSONOption

    func validate() throws {
        if showsStatus, takesOverAgain {
            throw ValidationError("--status changes nothing: leave out --status or --take-over.")
        }
    }

    func run(_ session: DatabaseSession) async throws {
        let migrator = Migrator(migrations: SyncSchema.migrations)
        if showsStatus {
            try await show(migrator.status(on: session.pool))
        } else {
            let before = try await TakeOver.last(on: session.pool)
            let applied = try await migrator.migrate(on: session.pool)
            var takeOver = try await TakeOver.last(on: session.pool)
            if takeOver == before { takeOver = nil }
            // The migration that makes the tables has taken over already.
            if takesOverAgain, takeOver == nil { takeOver = try await TakeOver.again(on: session.pool) }
            try report(applied, takeOver)
        }
    }

    private func report(_ applied: [Migration], _ takeOver: TakeOver?) throws {
        if json.isWanted {
            let report: JSONValue = [
                "applied": .array(applied.map { .string($0.fileName) }), "take_over": takeOver?.json ?? .null,
            ]
            return try report.print()
        }
        for migration in applied { try StandardStream.output.line("Applied \(migration.fileName)") }
        if let takeOver {
            for line in takeOver.lines { try StandardStream.output.line(line) }
        } else if takesOverAgain {
            try StandardStream.output.line("There is nothing to take over: the tables are empty.")
        } else if applied.isEmpty {
            try StandardStream.output.line("Nothing to do: the database is up to date.")
        }
    }

    private func show(_ migrations: [MigrationStatus]) throws {
        if json.isWanted {
            try JSONValue.array(migrations.map(\.json)).print()
        } else {
            try StandardStream.output.write(Self.table(migrations).text(width: StandardStream.output.width))
        }
        let pending = migrations.count { $0.state == .pending }
        if pending > 0 {
            throw SyncControlError(
                .refused,
                "\(pending) of \(migrations.count) migrations pending. Run: syncctl migrate"
            )
        }
        if let misfit = migrations.first(where: { !$0.state.isApplied }) {
            throw SyncControlError(.refused, "Migration \(misfit.fileName) \(misfit.state.explanation).")
        }
    }

    private static func table(_ migrations: [MigrationStatus]) -> TextTable {
        var table = TextTable([.init(title: "MIGRATION"), .init(title: "STATE"), .init(title: "APPLIED")])
        for migration in migrations {
            table.add(
                migration.fileName,
                migration.state.word,
                migration.state.appliedAt.map(TimeText.full) ?? "-"
            )
        }
        return table
    }
}
