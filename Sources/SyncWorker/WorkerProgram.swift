import Alerts
import CurlHTTP
import Fernet
import FlowControl
import Foundation
import JobQueue
import Logging
import Metrics
import NoteSync
import Postgres
import ServiceLifecycle
import Settings
import Support
import SyncSchema
import Telemetry
import UnixSignals

/// The worker put together: settings, then services, then a group that runs them until a signal.
struct WorkerProgram {
    let settings: ServiceSettings

    /// - Throws: what keeps the worker from its work; see ``StartFailure``.
    init(settings: ServiceSettings) throws {
        // Before anything else: without descriptors the libraries below end the process by a trap.
        self.settings = try OpenFilesAtStart(settings).fitted()
    }

    func run() async throws {
        LoggingBootstrap.bootstrap(format: settings.log.format, level: settings.log.level)
        let logger = Logger(label: "sync-worker")
        let accumulator = MetricsAccumulator()
        MetricsSystem.bootstrap(accumulator)
        for warning in settings.warnings + UnknownSettings.warnings(in: ProcessInfo.processInfo.environment) {
            logger.warning("\(warning)")
        }
        // A key that can't be used is told of at once; one that is to be made has to wait for what the database holds.
        let given = settings.encryption.isKeyGiven ? try encryptionKeys(logger, mayGenerate: false) : nil
        let database = PostgresConfiguration(
            connectionString: settings.database.connectionString.value,
            applicationName: "sync-worker",
            requiresWriting: true
        )
        try database.validate()
        for warning in settings.peers.clearTextWarnings(databaseHosts: try database.hostsWithoutRequiredTLS()) {
            logger.warning("\(warning)")
        }
        // Without it every fetch would fail, and spend an attempt of its job.
        if let warning = try TemporaryFolder.check(maximumFetchBytes: settings.peers.maximumFetchBytes) {
            logger.warning("\(warning).")
        }
        let pool = PostgresPool(
            configuration: database,
            size: max(settings.database.connections, Self.leastConnections) - JobWorker.ownConnections,
            maximumAge: settings.database.connectionAge,
            // After a failover a job is to be back at work in a few seconds.
            maximumReconnectDelay: .seconds(1),
            logger: logger
        )
        if settings.database.connections < Self.leastConnections {
            logger.warning(
                "SYNC_DATABASE_CONNECTIONS is less than a worker needs; it takes up to \(Self.leastConnections) connections."
            )
        }
        let http = HTTPClient(configuration: clients)
        // Its thread writes what it fetches to the disk, which may take its time: nothing else is to wait for that.
        let downloads = HTTPClient(configuration: clients)
        defer {
            http.shutdown()
            downloads.shutdown()
        }
        do {
            let keys = try await StopAtStart.endingProcess(logger) {
                try await start(DatabaseAtStart(database, logger: logger), given, logger)
            }
            let metrics = MetricsKeeper(
                accumulator: accumulator,
                pool: pool,
                claims: ClaimHold(),
                worker: settings.worker.name,
                logger: logger
            )
            try await group(
                pool: pool,
                database: database,
                http: http,
                downloads: downloads,
                keys: keys,
                metrics: metrics,
                logger: logger
            ).run()
            await pool.shutdown()
        } catch {
            await pool.shutdown()
            throw error
        }
        logger.notice("Stopped.")
    }

    /// Connections to the database without which a worker does nothing.
    static let leastConnections = 2 + JobWorker.ownConnections

    /// Identity and trust of all HTTP clients.
    private var clients: HTTPClientConfiguration {
        HTTPClientConfiguration(
            userAgent: "sync-service/\(ServiceVersion.current)",
            certificateAuthorityFile: settings.peers.certificateFile
        )
    }

    /// Waits for the database, and makes sure that this worker can work with it.
    private func start(
        _ database: DatabaseAtStart,
        _ given: FernetKeyRing?,
        _ logger: Logger
    ) async throws -> FernetKeyRing {
        do {
            try await check(database, logger)
            try await database.checkRights()
            let keys = try await database.waiting { try await keysThatOpen(given, database.pool, logger) }
            await database.pool.shutdown()
            return keys
        } catch {
            await database.pool.shutdown()
            throw error
        }
    }

    /// Tables that are not current end the worker; before that it tells people.
    private func check(_ database: DatabaseAtStart, _ logger: Logger) async throws {
        let alert = SchemaAlert(
            configuration: NotificationConfiguration(settings),
            http: clients,
            worker: settings.worker.name,
            folder: settings.encryption.stateFolder,
            logger: logger
        )
        do {
            try await database.check()
        } catch let error as PostgresError where error.isOfMigrations {
            await alert.send(fault: "\(error)", pool: database.pool)
            throw error
        }
        await alert.resolve()
    }

    /// The keys, once they have been tried on what is stored. A worker with other keys than the rest would fail
    /// everybody's jobs.
    private func keysThatOpen(_ given: FernetKeyRing?, _ pool: PostgresPool, _ logger: Logger) async throws
        -> FernetKeyRing
    {
        let nobodys = CredentialStore(pool: pool, keys: FernetKeyRing(try FernetKey.generate()))
        let isAnythingEncrypted = try await nobodys.isAnythingEncrypted()
        let keys = try given ?? encryptionKeys(logger, mayGenerate: !isAnythingEncrypted)
        guard isAnythingEncrypted else { return keys }
        let store = CredentialStore(pool: pool, keys: keys)
        let check = try await store.checkKeys(stopsAtFirst: true)
        if try await store.isInstallationKeyMissing() {
            logger.error("No user can be synchronized: \(CredentialStore.missingInstallationKey)")
        }
        guard check.areKeysRight else {
            throw UnusableKey.opensNothing("This worker's keys do not open what is stored (\(Self.unopened(check))).")
        }
        return keys
    }

    private static func unopened(_ check: CredentialStore.KeyCheck) -> String {
        if let name = check.unopenedInstallationKeys.first { return "the installation key \(name)" }
        return "the credentials of \(Count.of(check.unopened.count, "user"))"
    }

    private func encryptionKeys(_ logger: Logger, mayGenerate: Bool) throws -> FernetKeyRing {
        let key = try EncryptionKeySource(settings: settings.encryption).resolve(logger: logger) {
            guard mayGenerate else {
                throw UnusableKey(
                    description:
                        "AWS_ENCRYPTION_KEY is not set, and credentials are stored already. Set it to the key they were "
                        + "stored with; a new one would open none of them."
                )
            }
            return try FernetKey.generate().base64
        }
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
        downloads: HTTPClient,
        keys: FernetKeyRing,
        metrics: MetricsKeeper,
        logger: Logger
    ) -> ServiceGroup {
        let credentials = CredentialStore(pool: pool, keys: keys)
        let alerts = NotificationService(
            configuration: NotificationConfiguration(settings),
            pool: pool,
            peers: http,
            http: clients,
            worker: settings.worker.name,
            logger: logger,
            schemaFault: { try await Self.schemaFault(pool) },
            keyFault: {
                try await credentials.isInstallationKeyMissing() ? CredentialStore.missingInstallationKey : nil
            }
        )
        let keyLoss = KeyLoss(credentials: credentials, interval: settings.worker.lease, logger: logger)
        let orchestrator = SyncOrchestrator(
            pool: pool,
            credentials: credentials,
            extractor: KeepExtractorClient(http: downloads, configuration: KeepExtractorConfiguration(settings.peers)),
            writer: NotionWriterClient(http: http, configuration: NotionWriterConfiguration(settings.peers)),
            configuration: SyncConfiguration(settings),
            claims: metrics.claims,
            logger: logger,
            onKeysLost: keyLoss.report
        )
        let worker = JobWorker(
            pool: pool,
            database: database,
            configuration: JobWorkerConfiguration(settings.worker),
            logger: logger,
            hold: metrics.claims,
            notices: orchestrator.flow.notices,
            // What failed stands in the database; this only says that it is time to look.
            onFailure: { _ in alerts.jobFailed() },
            handler: orchestrator.run
        )
        let abandoned = AbandonedWriteFinder(pool: pool, interval: settings.worker.lease / 2, logger: logger)
        let gates = GateSweeper(flow: orchestrator.flow, logger: logger)
        let closings = GateWatcher(flow: orchestrator.flow, logger: logger)
        let ready = ReadyNotice(
            logger: logger,
            metadata: [
                "worker": "\(settings.worker.name)", "slots": "\(settings.worker.concurrency)",
                "version": "\(ServiceVersion.current)", "database": "\(database.redactedDescription)",
                "connections": "\(max(settings.database.connections, Self.leastConnections))",
            ]
        )
        // Stopped in reverse order: first the worker, which still needs the pool.
        let limit = ShutdownLimit(
            limit: settings.worker.shutdownGrace + ShutdownLimit.afterGrace,
            isAnythingUnderWay: { worker.hasUnfinishedJobs || alerts.isSending },
            isAnswered: { worker.hasLeft },
            logger: logger
        )
        let services: [any Service] = [
            SecondSignal(logger: logger), ready, pool, metrics, alerts, abandoned, gates, closings, orchestrator.watch,
            worker, limit,
        ]
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }
                + [.init(service: keyLoss, failureTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: StopSignals.all,
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = settings.worker.shutdownGrace + .seconds(10)
        return ServiceGroup(configuration: configuration)
    }
}

extension FlowControl {
    /// How a worker hears that a gate is closed.
    fileprivate var notices: WorkerNotices {
        WorkerNotices(
            channel: GateWatcher.channel,
            onNotice: { self.hearOfClosing() },
            onHearing: { self.set(isHearing: $0) }
        )
    }
}

extension WorkerProgram {
    /// Why the tables are not those of this program; nil if they are. Newer ones are a deployment under way.
    private static func schemaFault(_ pool: PostgresPool) async throws -> String? {
        do {
            try await Migrator(migrations: SyncSchema.migrations).checkCurrent(on: pool)
            return nil
        } catch let error as PostgresError where error.isOfMigrations {
            return error.code == .migrationUnknown ? nil : "\(error)"
        }
    }
}
