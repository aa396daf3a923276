import Foundation
import Logging
public import Postgres

/// A PostgreSQL server of the tests' own, in a temporary folder, on a free port of 127.0.0.1 and a socket in that
/// folder.
///
/// A small shell stands between: it reads commands from a pipe and, when the pipe ends — however the test process did —
/// stops the server at once and removes the folder.
public actor PrivateCluster {
    /// How a server is stopped.
    public enum StopMode: String, Sendable {
        /// Sessions are ended and open transactions rolled back.
        case fast
        /// All processes end at once, as in a crash; the next start recovers.
        case immediate
    }

    /// What a cluster can have beyond the default: trusting everyone, no TLS, not flushing to the disk.
    public struct Options: Sendable {
        /// A password for `postgres`, asked for by SCRAM.
        public var password: String?
        /// Whether the server speaks TLS, with a self-signed certificate for `localhost`.
        public var tls = false
        /// Whether the server flushes to the disk as a real one does.
        public var fsync = false
        /// The locale of what the server says, such as `de_DE`; made for it from the system's definitions.
        public var language: String?
        /// libfaketime, if the server's clock is to be set: see ``setClock(_:)``.
        public var clockLibrary: String?
        /// Further settings of the server.
        public var settings: [String: String] = [:]

        public init(
            password: String? = nil,
            tls: Bool = false,
            fsync: Bool = false,
            language: String? = nil,
            clockLibrary: String? = nil,
            settings: [String: String] = [:]
        ) {
            self.password = password
            self.tls = tls
            self.fsync = fsync
            self.language = language
            self.clockLibrary = clockLibrary
            self.settings = settings
        }

        /// Whether a server can be made to speak another language: Debian's package `locales` is there.
        public static var hasLanguages: Bool {
            FileManager.default.fileExists(atPath: "/usr/share/i18n/locales/de_DE")
        }
    }

    /// The temporary folder; the socket is in it, and `server.crt` if the server speaks TLS.
    public nonisolated let folder: String
    public nonisolated let port: Int
    /// The folder of the server's programs, `pgbench` among them.
    public nonisolated let binaries: String
    nonisolated let options: Options
    nonisolated let files: ClusterFiles
    private let supervisor: ChildProcess
    private var acknowledgements = 0
    private var templates: [[Migration]: Task<String, any Error>] = [:]
    private var lastDatabaseNumber = 0

    private static let sharedStart = Task { try await PrivateCluster.start() }

    /// The one cluster that the tests of a process share. It is not to be stopped.
    public static func shared() async throws -> PrivateCluster {
        try await sharedStart.value
    }

    /// A new cluster, running.
    public static func start(_ options: Options = Options()) async throws -> PrivateCluster {
        let files = try ClusterFiles.make()
        // The supervisor comes first: from now on the folder goes when the test process does.
        let cluster = try PrivateCluster(files: files, options: options)
        try files.initialise(options)
        try await cluster.start()
        return cluster
    }

    init(files: ClusterFiles, options: Options) throws {
        self.files = files
        folder = files.folder
        port = files.port
        binaries = files.binaries
        self.options = options
        supervisor = try files.startSupervisor(options)
    }

    deinit {
        supervisor.closeInput()
    }

    /// Starts the server and waits until it takes connections.
    public func start() async throws {
        try await command("start")
        var failure = ""
        do {
            try await eventually(within: .seconds(60), "the start of PostgreSQL") {
                do {
                    try await PostgresConnection.connect(configuration(database: "postgres"), logger: quiet).close()
                    return true
                } catch let error as PostgresError {
                    failure = error.description
                    return false
                }
            }
        } catch {
            throw SpawnError(description: "\(error): \(failure)\n\(serverLog)")
        }
    }

    /// Stops the server and waits until it is gone.
    public func stop(mode: StopMode = .fast) async throws {
        try await command(mode.rawValue)
    }

    /// Stops and starts the server.
    public func restart(mode: StopMode = .fast) async throws {
        try await stop(mode: mode)
        try await start()
    }

    /// Stops the server and removes its folder; the cluster cannot be used any more.
    public func remove() async throws {
        supervisor.closeInput()
        try await eventually(within: .seconds(30), "the end of PostgreSQL") { supervisor.exit != nil }
    }

    /// Sets the server's clock: so many seconds from the machine's. Takes a second at most.
    public nonisolated func setClock(_ offset: Int) throws {
        try files.setClock(offset)
    }

    /// What the server has written into its log.
    public nonisolated var serverLog: String {
        // A log that is not there yet is an empty one.
        (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
    }

    /// A URI that leads to a database over TCP.
    public nonisolated func connectionString(database: String) -> String {
        let encoded = options.password?.addingPercentEncoding(withAllowedCharacters: .alphanumerics)
        let password = encoded.map { ":\($0)" } ?? ""
        return "postgresql://postgres\(password)@127.0.0.1:\(port)/\(database)"
    }

    /// A connection string that leads to a database over the Unix socket.
    public nonisolated func socketConnectionString(database: String) -> String {
        "host=\(folder) port=\(port) user=postgres dbname=\(database)"
    }

    public nonisolated func configuration(database: String) -> PostgresConfiguration {
        PostgresConfiguration(connectionString: connectionString(database: database), applicationName: "test")
    }

    /// For whoever sets something for the role that is not for itself, such as a time limit of statements.
    public nonisolated func unlimitedConfiguration(database: String) -> PostgresConfiguration {
        var configuration = configuration(database: database)
        configuration.connectionString += "?options=-c%20statement_timeout%3D0"
        return configuration
    }

    /// A database of a test's own, with the migrations applied. They are applied once, to a template that is then
    /// copied.
    public func createDatabase(migrations: [Migration] = [], poolSize: Int = 10) async throws -> TestDatabase {
        let template = migrations.isEmpty ? "template1" : try await template(for: migrations)
        let name = newDatabaseName("test")
        try await administer("CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: template)")
        return TestDatabase(name: name, cluster: self, poolSize: poolSize)
    }

    func dropDatabase(_ name: String) async throws {
        try await administer("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
    }

    private func template(for migrations: [Migration]) async throws -> String {
        if let known = templates[migrations] {
            return try await known.value
        }
        let name = newDatabaseName("template")
        let making = Task {
            try await administer("CREATE DATABASE \(identifier: name)")
            let connection = try await PostgresConnection.connect(configuration(database: name), logger: quiet)
            try await Migrator(migrations: migrations).migrate(on: connection)
            let backend = await connection.backendProcessID ?? 0
            await connection.close()
            try await eventually(within: .seconds(10), "the end of the template's session") {
                try await isSessionGone(backend)
            }
            return name
        }
        templates[migrations] = making
        return try await making.value
    }

    private func isSessionGone(_ processID: Int32) async throws -> Bool {
        let connection = try await PostgresConnection.connect(configuration(database: "postgres"), logger: quiet)
        let rows = try await connection.query("SELECT FROM pg_stat_activity WHERE pid = \(processID)")
        await connection.close()
        return rows.isEmpty
    }

    private func administer(_ statement: PostgresQuery) async throws {
        try await onServer { try await $0.execute(statement, timeout: .after(.seconds(60))) }
    }

    /// Runs `body` on a connection of its own.
    @discardableResult
    nonisolated func onServer<R>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
        let connection = try await PostgresConnection.connect(
            unlimitedConfiguration(database: "postgres"),
            logger: quiet
        )
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    private func newDatabaseName(_ prefix: String) -> String {
        lastDatabaseNumber += 1
        return "\(prefix)_\(lastDatabaseNumber)"
    }

    /// Gives the supervisor a command and waits until it is done.
    private func command(_ command: String) async throws {
        acknowledgements += 1
        let expected = acknowledgements
        try supervisor.write(command + "\n")
        try await eventually(within: .seconds(60), "the server's \(command)") {
            guard supervisor.exit == nil else {
                let words = supervisor.errorOutput.joined(separator: "\n")
                throw SpawnError(description: "the server's supervisor ended:\n\(words)")
            }
            return supervisor.output.count >= expected
        }
    }
}

/// The logger of connections that the tests do not look at.
let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
