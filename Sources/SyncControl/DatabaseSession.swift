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
        let configuration = PostgresConfiguration(
            connectionString: database.connectionString.value,
            applicationName: "syncctl",
            requiresWriting: true
        )
        try configuration.validate()
        // A connection that fails is said once, at the end; who wants to see how it came to it asks for it.
        var poolLogger = logger
        if level == .warning { poolLogger.logLevel = .error }
        let pool = PostgresPool(configuration: configuration, size: connections, logger: poolLogger)
        do {
            try await body(DatabaseSession(pool: pool, logger: logger))
            await pool.shutdown()
        } catch {
            await pool.shutdown()
            throw error
        }
    }

    /// Says that the tables are newer than this program, if it can work with them.
    ///
    /// - Throws: `PostgresError` with code `migrationUnknown` if it can't.
    func checkNewerMigrations() async throws {
        guard let warning = try await Migrator(migrations: SyncSchema.migrations).checkNewer(on: pool) else { return }
        StandardStream.error.note("syncctl: \(warning).")
    }
}
