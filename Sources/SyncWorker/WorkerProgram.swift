import Alerts
import CurlHTTP
import Fernet
import Foundation
import JobQueue
import Logging
import Metrics
import NoteSync
import Postgres
import ServiceLifecycle
import Settings
import Telemetry
import UnixSignals

/// The worker put together: settings, then services, then a group that runs them until a signal.
struct WorkerProgram {
    let settings: ServiceSettings

    func run() async throws {
        LoggingBootstrap.bootstrap(format: settings.log.format, level: settings.log.level)
        let logger = Logger(label: "sync-worker")
        let accumulator = MetricsAccumulator()
        MetricsSystem.bootstrap(accumulator)
        for warning in UnknownSettings.warnings(in: ProcessInfo.processInfo.environment) {
            logger.warning("\(warning)")
        }
        let keys = try encryptionKeys(logger)
        let database = PostgresConfiguration(
            connectionString: settings.database.connectionString.value,
            applicationName: "sync-worker"
        )
        let pool = PostgresPool(configuration: database, size: settings.database.connections, logger: logger)
        let http = HTTPClient(
            configuration: HTTPClientConfiguration(
                userAgent: "sync-service/\(ServiceVersion.current)",
                certificateAuthorityFile: settings.peers.certificateFile
            )
        )
        defer { http.shutdown() }
        do {
            try await DatabaseAtStart(pool: pool, logger: logger).check()
            let metrics = MetricsKeeper(
                accumulator: accumulator,
                pool: pool,
                worker: settings.worker.name,
                logger: logger
            )
            try await group(pool: pool, database: database, http: http, keys: keys, metrics: metrics, logger: logger)
                .run()
            await pool.shutdown()
        } catch {
            await pool.shutdown()
            throw error
        }
        logger.notice("Stopped.")
    }

    private func encryptionKeys(_ logger: Logger) throws -> FernetKeyRing {
        let key = try EncryptionKeySource(settings: settings.encryption)
            .resolve(logger: logger) { try FernetKey.generate().base64 }
        do {
            return try FernetKeyRing(key.value.value)
        } catch {
            throw UnusableKey(description: "AWS_ENCRYPTION_KEY can't be used: \(error) Make one with: syncctl keygen")
        }
    }

    private func group(
        pool: PostgresPool,
        database: PostgresConfiguration,
        http: HTTPClient,
        keys: FernetKeyRing,
        metrics: MetricsKeeper,
        logger: Logger
    ) -> ServiceGroup {
        let alerts = NotificationService(
            configuration: NotificationConfiguration(settings.alerts),
            http: http,
            logger: logger
        )
        let orchestrator = SyncOrchestrator(
            pool: pool,
            credentials: CredentialStore(pool: pool, keys: keys),
            extractor: KeepExtractorClient(http: http, configuration: KeepExtractorConfiguration(settings.peers)),
            writer: NotionWriterClient(http: http, configuration: NotionWriterConfiguration(settings.peers)),
            configuration: SyncConfiguration(settings)
        )
        let worker = JobWorker(
            pool: pool,
            database: database,
            configuration: JobWorkerConfiguration(settings.worker),
            logger: logger,
            onFailure: { job in
                await alerts.jobFailed(
                    JobFailureAlert(jobID: job.id.rawValue, userID: job.userID.rawValue, error: job.error)
                )
            },
            handler: orchestrator.run
        )
        logger.notice(
            "Ready.",
            metadata: [
                "worker": "\(settings.worker.name)", "slots": "\(settings.worker.concurrency)",
                "version": "\(ServiceVersion.current)", "database": "\(database.redactedDescription)",
            ]
        )
        // Stopped in reverse order: first the worker, which still needs the pool and may have something to tell.
        let limit = ShutdownLimit(
            limit: settings.worker.shutdownGrace + ShutdownLimit.afterGrace,
            logger: logger
        )
        var configuration = ServiceGroupConfiguration(
            services: [SecondSignal(logger: logger), pool, metrics, alerts, worker, limit],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = settings.worker.shutdownGrace + .seconds(10)
        return ServiceGroup(configuration: configuration)
    }
}

/// A key that is set but is none.
struct UnusableKey: Error, CustomStringConvertible {
    let description: String
}
