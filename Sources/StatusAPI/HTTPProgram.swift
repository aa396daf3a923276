import CurlHTTP
import Foundation
import Hummingbird
import JobQueue
import Logging
import Postgres
import ServiceLifecycle
package import Settings
import Telemetry
import UnixSignals

/// One of the HTTP programs put together: settings, then services, then a group that runs them until a signal.
package struct HTTPProgram: Sendable {
    /// The program, as it is called: `sync-sidecar`.
    let name: String
    let settings: ServiceSettings
    /// What it answers beside the routes of this module.
    let addition: RouteAddition?

    /// Longest time for requests in flight after SIGTERM.
    private static let shutdownGrace = Duration.seconds(5)
    /// A statement that takes longer is given up: a reader must not weigh on the database.
    private static let queryTimeout = Duration.seconds(2)
    /// A caller waits for an answer; whether the database is back is found out within this time.
    private static let reconnectDelay = Duration.milliseconds(500)

    package init(name: String, settings: ServiceSettings, addition: RouteAddition? = nil) {
        self.name = name
        self.settings = settings
        self.addition = addition
    }

    /// Runs until SIGTERM or SIGINT, and returns when the requests in flight are answered.
    ///
    /// - Throws: what keeps the program from listening; see ``StartFailure``.
    package func run() async throws {
        LoggingBootstrap.bootstrap(format: settings.log.format, level: settings.log.level)
        let logger = Logger(label: name)
        for warning in UnknownSettings.warnings(in: ProcessInfo.processInfo.environment) {
            logger.warning("\(warning)")
        }
        let database = PostgresConfiguration(
            connectionString: settings.database.connectionString.value,
            applicationName: name,
            connectTimeout: Self.queryTimeout,
            queryTimeout: Self.queryTimeout
        )
        let pool = PostgresPool(
            configuration: database,
            size: settings.database.connections,
            maximumReconnectDelay: Self.reconnectDelay,
            logger: logger
        )
        let http = HTTPClient(
            configuration: HTTPClientConfiguration(
                userAgent: "\(name)/\(ServiceVersion.current)",
                certificateAuthorityFile: settings.peers.certificateFile
            )
        )
        defer { http.shutdown() }
        // The database may be away: this program is there to say so.
        var configuration = ServiceGroupConfiguration(
            services: [pool, application(pool: pool, http: http, logger: logger)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: quiet(logger)
        )
        configuration.maximumGracefulShutdownDuration = Self.shutdownGrace
        try await ServiceGroup(configuration: configuration).run()
        logger.notice("Stopped.")
    }

    private func application(pool: PostgresPool, http: HTTPClient, logger: Logger) -> some Service {
        let reader = DatabaseReader(pool: pool)
        let health = HealthMonitor(probes: [
            .database(reader),
            .peer(.keepExtractor, url: settings.peers.keepExtractorURL, http: http),
            .peer(.notionWriter, url: settings.peers.notionWriterURL, http: http),
        ])
        let source = StatusSource(
            reader: reader,
            health: health,
            heartbeatAge: max(.seconds(60), settings.worker.lease)
        )
        let server = APIServer(source: source, addition: addition, settings: settings.http, logger: logger)
        let database = pool.configuration.redactedDescription
        return server.application(libraryLogger: quiet(logger)) { address in
            logger.notice(
                "Ready.",
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
