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

            Examples:
              syncctl migrate
              syncctl migrate --status   (exit code 1 if the database is not up to date)
            """
    )

    @Flag(name: .customLong("status"), help: "Change nothing; show each migration and where it stands.")
    var showsStatus = false
    @OptionGroup var json: JSONOption

    func run(_ session: DatabaseSession) async throws {
        let migrator = Migrator(migrations: SyncSchema.migrations)
        if showsStatus {
            try await show(migrator.status(on: session.pool))
        } else {
            try await report(migrator.migrate(on: session.pool))
        }
    }

    private func report(_ applied: [Migration]) throws {
        if json.isWanted {
            try (["applied": .array(applied.map { .string($0.fileName) })] as JSONValue).print()
        } else if applied.isEmpty {
            try StandardStream.output.line("Nothing to do: the database is up to date.")
        } else {
            for migration in applied { try StandardStream.output.line("Applied \(migration.fileName)") }
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
