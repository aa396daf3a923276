import CurlHTTP
import Foundation
import Hummingbird
import JobQueue
import Logging
import Postgres
import ServiceLifecycle
package import Settings
import Support
import SyncSchema
import Telemetry
import UnixSignals

/// One of the HTTP programs put together: settings, then services, then a group that runs them until a signal.
package struct HTTPProgram: Sendable {
    /// The program, as it is called: `sync-sidecar`.
    let name: String
    let settings: ServiceSettings
    /// What it answers beside the routes of this module.
    let addition: RouteAddition?

    /// How long connections stay open after SIGTERM, where a call that is lost is a failed start; with the grace below,
    /// less than the 10 s that containers are given.
    private static let drainTime = Duration.seconds(3)
    /// Longest time for requests in flight after that.
    private static let shutdownGrace = Duration.seconds(5)
    /// A statement that takes longer is given up: a reader must not weigh on the database.
    private static let queryTimeout = Duration.seconds(2)
    /// A connection that does not even answer a request to cancel is closed, to make room for one that does.
    private static let cancelGrace = Duration.milliseconds(300)
    /// A caller waits for an answer; whether the database is back is found out within this time.
    private static let reconnectDelay = Duration.milliseconds(500)

    /// The program itself, one connection to the database and a few callers.
    package static let leastOpenFiles = 40
    /// Connections of callers for which there is to be room.
    private static let callers = 200

    package init(name: String, settings: ServiceSettings, addition: RouteAddition? = nil) {
        self.name = name
        self.settings = settings
        self.addition = addition
    }

    /// Runs until SIGTERM, SIGINT or SIGHUP, and returns when the requests in flight are answered.
    ///
    /// - Throws: what keeps the program from listening; see ``StartFailure``.
    package func run() async throws {
        // Before anything else: without descriptors the HTTP server ends the process by a trap.
        _ = try OpenFiles.require(
            least: Self.leastOpenFiles,
            needed: Self.leastOpenFiles + settings.database.connections * 3 + Self.callers,
            by: "this program"
        )
        LoggingBootstrap.bootstrap(format: settings.log.format, level: settings.log.level)
        let logger = Logger(label: name)
        for warning in UnknownSettings.warnings(in: ProcessInfo.processInfo.environment) {
            logger.warning("\(warning)")
        }
        let database = PostgresConfiguration(
            connectionString: settings.database.connectionString.value,
            applicationName: name,
            connectTimeout: Self.queryTimeout,
            queryTimeout: Self.queryTimeout,
            cancelGrace: Self.cancelGrace,
            requiresWriting: addition != nil
        )
        try database.validate()
        for warning in settings.peers.clearTextWarnings(databaseHosts: try database.hostsWithoutRequiredTLS()) {
            logger.warning("\(warning)")
        }
        // Half of the connections for each, where there are routes that change something; and of those that read some
        // for probes alone.
        let changing = addition == nil ? 0 : max(1, settings.database.connections / 2)
        let reading = max(1, settings.database.connections - changing)
        let probing = reading > 1 ? max(1, reading / 4) : 0
        let pools = [reading - probing, probing, changing].filter { $0 > 0 }.map { size in
            PostgresPool(
                configuration: database,
                size: size,
                maximumAge: settings.database.connectionAge,
                maximumReconnectDelay: Self.reconnectDelay,
                logger: logger
            )
        }
        let http = HTTPClient(
            configuration: HTTPClientConfiguration(
                userAgent: "\(name)/\(ServiceVersion.current)",
                certificateAuthorityFile: settings.peers.certificateFile
            )
        )
        defer { http.shutdown() }
        let reader = DatabaseReader(pool: pools[0])
        let probes = probing > 0 ? DatabaseReader(pool: pools[1]) : reader
        let isUsable: Bool
        do {
            // Before anything listens: tables that are too new are then all that is said.
            isUsable = try await StartCheck(reader: reader, role: addition == nil ? .sidecar : .intake, logger: logger)
                .isDatabaseUsable()
        } catch {
            for pool in pools { await pool.shutdown() }
            throw error
        }
        let connections = ConnectionLimits.fitting()
        let drain = Drain(time: addition == nil ? .zero : Self.drainTime, connections: connections)
        let source = source(reader: reader, probes: probes, drain: drain, http: http, logger: logger)
        let server = application(
            source: source,
            connections: connections,
            changes: pools[pools.count - 1],
            ready: isUsable ? "Ready." : "Listening; not ready before the database can be used.",
            logger: logger
        )
        var configuration = ServiceGroupConfiguration(
            services: pools + [HealthWatch(health: source.health, logger: logger), server, drain],
            gracefulShutdownSignals: StopSignals.all,
            logger: quiet(logger)
        )
        configuration.maximumGracefulShutdownDuration = Self.drainTime + Self.shutdownGrace
        try await ServiceGroup(configuration: configuration).run()
        logger.notice("Stopped.")
    }

    private func source(
        reader: DatabaseReader,
        probes: DatabaseReader,
        drain: Drain,
        http: HTTPClient,
        logger: Logger
    ) -> StatusSource {
        let heartbeatAge = max(.seconds(60), settings.worker.lease)
        let health = HealthMonitor(probes: [
            .database(probes),
            .peer(.keepExtractor, url: settings.peers.keepExtractorURL, http: http),
            .peer(.notionWriter, url: settings.peers.notionWriterURL, http: http),
            .work(probes),
        ])
        return StatusSource(
            reader: reader,
            probes: probes,
            health: health,
            drain: drain,
            faults: ReadinessLog(logger: logger),
            heartbeatAge: heartbeatAge
        )
    }

    /// - Parameter ready: what is said once the program listens.
    private func application(
        source: StatusSource,
        connections: ConnectionLimits,
        changes: PostgresPool,
        ready: Logger.Message,
        logger: Logger
    ) -> some Service {
        let server = APIServer(
            source: source,
            connections: connections,
            addition: addition,
            changes: changes,
            settings: settings.http,
            logger: logger
        )
        let database = changes.configuration.redactedDescription
        return server.application(libraryLogger: quiet(logger)) { address in
            logger.notice(
                ready,
                metadata: [
                    "address": "http://\(address)", "version": "\(ServiceVersion.current)", "database": "\(database)",
                ]
            )
        }
    }

    /// Without the libraries' own remarks about starting and stopping.
    private func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, logger.logLevel > .debug ? .error : .trace)
        return quiet
    }
}
