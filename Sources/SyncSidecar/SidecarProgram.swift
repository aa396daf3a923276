import CurlHTTP
import Foundation
import Hummingbird
import JobQueue
import Logging
import Postgres
import ServiceLifecycle
import Settings
import Telemetry
import UnixSignals

/// The sidecar put together: settings, then services, then a group that runs them until a signal.
struct SidecarProgram {
    let settings: ServiceSettings

    /// Longest time for requests in flight after SIGTERM.
    private static let shutdownGrace = Duration.seconds(5)
    /// A statement that takes longer is given up: a reader must not weigh on the database.
    private static let queryTimeout = Duration.seconds(2)

    func run() async throws {
        LoggingBootstrap.bootstrap(format: settings.log.format, level: settings.log.level)
        let logger = Logger(label: "sync-sidecar")
        for warning in UnknownSettings.warnings(in: ProcessInfo.processInfo.environment) {
            logger.warning("\(warning)")
        }
        let database = PostgresConfiguration(
            connectionString: settings.database.connectionString.value,
            applicationName: "sync-sidecar",
            connectTimeout: Self.queryTimeout,
            queryTimeout: Self.queryTimeout
        )
        let pool = PostgresPool(configuration: database, size: settings.database.connections, logger: logger)
        let http = HTTPClient(
            configuration: HTTPClientConfiguration(
                userAgent: "sync-sidecar/\(ServiceVersion.current)",
                certificateAuthorityFile: settings.peers.certificateFile
            )
        )
        defer { http.shutdown() }
        // The database may be away: the sidecar is there to say so.
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
        let sidecar = Sidecar(
            reader: reader,
            health: health,
            heartbeatAge: max(.seconds(60), settings.worker.lease)
        )
        let database = pool.configuration.redactedDescription
        return SidecarServer.application(sidecar, settings: settings.sidecar, logger: quiet(logger)) { address in
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
