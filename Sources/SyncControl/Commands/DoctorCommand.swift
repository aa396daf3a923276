import ArgumentParser
import Logging
import Postgres
import ServiceHealth
import Settings
import Telemetry

/// `syncctl doctor`.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check the whole service, and say what is wrong and what to do.",
        discussion: """
            The first line is the verdict, as on the status page. Below it each check is ok, warning or wrong, the worst first, \
            with what to do and the command that does it. What this command or its role may not see is said as "not checked", and \
            is not guessed. Nothing is changed. Every check ends within seconds, also where the database is away.

            The exit code is 1 where anything is wrong, and 0 where all is ok or there are warnings alone.

            Key, peers, temporary folder and clock are checked as this command has them: run it with the variables of the workers, \
            on a machine of theirs. --json has a word for each check that stays, and "outcome": ok, warning, wrong or not_checked.

            Examples:
              syncctl doctor
              syncctl doctor --json | jq -r .verdict

            Environment variables of the checks beside those of syncctl:

            \(SettingsTable.text(groups: [.peers]))
            """
    )

    /// How long a statement of a check may take.
    static let statementLimit = Duration.seconds(4)
    private static let connectLimit = Duration.seconds(4)

    @OptionGroup var json: JSONOption

    func run() async throws {
        try await Failure.reported {
            let settings = try DoctorSettings.load()
            LoggingBootstrap.bootstrap(format: settings.log.format, level: .error, output: .standardError)
            StandardStream.endWithReader()
            let report = await Self.report(settings)
            if json.isWanted {
                try report.json.print()
            } else {
                try StandardStream.output.write(report.text(width: StandardStream.output.width))
            }
            if report.isWrong { throw ExitStatus.failed.code }
        }
    }

    private static func report(_ settings: DoctorSettings) async -> DoctorReport {
        // What fails is said by the checks, each once.
        let logger = Logger(label: "syncctl") { _ in SwiftLogNoOpLogHandler() }
        let pool = PostgresPool(
            configuration: PostgresConfiguration(
                connectionString: settings.database.connectionString.value,
                applicationName: "syncctl",
                connectTimeout: connectLimit,
                queryTimeout: statementLimit,
                cancelGrace: .seconds(1)
            ),
            size: 2,
            logger: logger
        )
        let machine = MachineChecks(settings: settings)
        async let outside = machine.peers()
        async let temporary = Check.lines(of: [machine.temporaryFolder])
        let database = DatabaseChecks(pool: pool, settings: settings)
        let connection = await database.connection()
        var lines = [connection]
        var verdict: (text: String, isWrong: Bool)?
        if connection.outcome == .wrong {
            lines += DatabaseChecks.names.map { .notChecked($0, "the database can't be asked") }
            lines += await outside.lines
        } else {
            let session = DatabaseSession(pool: pool, logger: logger, changes: ChangeRecord())
            let peers = await outside
            let service = ServiceChecks(pool: pool, peers: peers)
            let found = await service.lines()
            verdict = found.verdict
            lines += found.lines
            lines += await Check.lines(of: [machine.key(session)] + database.all)
        }
        lines += await temporary
        await pool.shutdown()
        return DoctorReport(verdict: verdict, lines: lines)
    }
}

/// What the checks go by beside the database.
struct DoctorSettings: Sendable {
    let database: DatabaseSettings
    let log: LogSettings
    let peers: PeerSettings

    /// - Throws: `SettingsError`.
    static func load() throws -> DoctorSettings {
        try SettingsReader.read { reader in
            DoctorSettings(
                database: DatabaseSettings(reading: &reader),
                log: LogSettings(reading: &reader),
                peers: PeerSettings(reading: &reader)
            )
        }
    }
}
