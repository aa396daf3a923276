import JobQueue
import Logging
import Postgres
import Settings
import SyncSchema
import Telemetry

/// What a command has of the world: the database that the settings name, and a log on stderr.
struct DatabaseSession: Sendable {
    let pool: PostgresPool
    let logger: Logger
    /// What the command has changed so far.
    let changes: ChangeRecord

    var jobs: JobClient { JobClient(pool: pool) }

    /// A command does one thing at a time; a second connection only where it looks at something meanwhile.
    private static let connections = 2

    /// Reads the settings, does the work, and closes the connections.
    ///
    /// - Throws: `SettingsError`, and what `body` throws.
    static func open(_ body: (DatabaseSession) async throws -> Void) async throws {
        let (database, log) = try SettingsReader.read { reader in
            (DatabaseSettings(reading: &reader), LogSettings(reading: &reader))
        }
        // Somebody looks at stdout; INFO would only be in the way of what was asked for.
        let level = log.level == .info || log.level == .notice ? .warning : log.level
        LoggingBootstrap.bootstrap(format: log.format, level: level, output: .standardError)
        StandardStream.endWithReader()
        let logger = Logger(label: "syncctl")
        let changes = ChangeRecord()
        var configuration = PostgresConfiguration(
            connectionString: database.connectionString.value,
            applicationName: "syncctl",
            requiresWriting: true
        )
        configuration.changes = changes
        try configuration.validate()
        // A connection that fails is said once, at the end; who wants to see how it came to it asks for it.
        var poolLogger = logger
        if level == .warning { poolLogger.logLevel = .error }
        let pool = PostgresPool(configuration: configuration, size: connections, logger: poolLogger)
        do {
            try await body(DatabaseSession(pool: pool, logger: logger, changes: changes))
            await pool.shutdown()
        } catch {
            await pool.shutdown()
            guard let refusal = error as? PostgresError, refusal.saysReadOnly else { throw error }
            throw await SyncControlError.readOnly(configuration, logger: poolLogger) ?? error
        }
    }

    /// Says that the tables are newer than this program, if it can work with them.
    ///
    /// - Throws: `PostgresError` if it can't, or if what was applied is not what this program knows.
    func checkAppliedMigrations() async throws {
        guard let warning = try await Migrator(migrations: SyncSchema.migrations).checkApplied(on: pool) else { return }
        StandardStream.error.note("syncctl: \(warning).")
    }
}
