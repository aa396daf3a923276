import CurlHTTP
import Fernet
import FlowControl
import Foundation
import JobQueue
import Logging
import NoteSync
import Postgres
import SyncSchema
import TestSupport

@testable import PeerSimulator

/// One installation as a user has it: database, worker and both peers, each talking over real sockets. The account is
/// `ada`.
struct SyncInstallation: Sendable {
    /// What a test may set.
    struct Options: Sendable {
        var sync = SyncConfiguration()
        /// So long that a job put off stays so until `again`.
        var jobBackoff = Backoff(base: .seconds(86_400), cap: .seconds(86_400))
        var keys = FernetKeyRing(keyInUse)
        var modifiedSince = KeepExtractorConfiguration.ModifiedSince.naive
        var keepTimeout = Duration.seconds(20)
        var writerTimeout = Duration.seconds(20)
        var maximumFetchBytes: Int64 = 1 << 30
        /// In place of the simulator.
        var keepURL: String?
        var writerURL: String?
        var peers = PeerSettings()
        var syntheticNotes = 0

        init() {
            sync.noteBackoffBase = .milliseconds(1)
            sync.noteBackoffCap = .milliseconds(2)
            sync.unknownCooldown = .milliseconds(1)
            sync.recordingGrace = .zero
            // See `unpacedSettings`.
            sync.flow = .unpaced
        }
    }

    static let user = "ada"
    static let googleToken = "aas_et/GoogleTokenOfAda"
    static let notionToken = "secret_NotionTokenOfAda"
    static let databaseID = "db-of-ada"
    /// Nobody listens there.
    static let deadURL = "http://127.0.0.1:1"
    static let keyInUse = FernetKey.fixed(7)

    let database: TestDatabase
    let simulator: Simulator
    let worker: JobWorker
    let credentials: CredentialStore
    let http: HTTPClient
    /// What the worker logs.
    let log: LogLines
    /// Jobs of which an alert would tell.
    let alerts: LogLines

    var pool: PostgresPool { database.pool }

    init(_ options: Options, database: TestDatabase, simulator: Simulator, ports: PeerPorts, http: HTTPClient) {
        let log = LogLines()
        let alerts = LogLines()
        let logger = Logger(label: "test") { _ in LineLogHandler(lines: log) }
        credentials = CredentialStore(pool: database.pool, keys: options.keys)
        let orchestrator = SyncOrchestrator(
            pool: database.pool,
            credentials: credentials,
            extractor: KeepExtractorClient(
                http: http,
                configuration: KeepExtractorConfiguration(
                    url: options.keepURL ?? "http://127.0.0.1:\(ports.keep)",
                    modifiedSince: options.modifiedSince,
                    authenticationTimeout: options.keepTimeout,
                    notesTimeout: options.keepTimeout,
                    maximumBytes: options.maximumFetchBytes
                )
            ),
            writer: NotionWriterClient(
                http: http,
                configuration: NotionWriterConfiguration(
                    url: options.writerURL ?? "http://127.0.0.1:\(ports.writer)",
                    timeout: options.writerTimeout
                )
            ),
            configuration: options.sync
        )
        worker = JobWorker(
            pool: database.pool,
            database: database.configuration,
            configuration: JobWorkerConfiguration(name: "w1", version: "test", backoff: options.jobBackoff),
            logger: logger,
            onFailure: { alerts.append("\($0.userID): \($0.error)") },
            handler: orchestrator.run
        )
        self.database = database
        self.http = http
        self.simulator = simulator
        self.log = log
        self.alerts = alerts
    }

    /// Stores what `ada` needs.
    func storeCredentials(
        google: String = googleToken,
        notion: String = notionToken,
        database: String = databaseID
    ) async throws {
        try await credentials.store(
            Credentials(googleToken: google, notionToken: notion, databaseID: database),
            of: UserID(Self.user)
        )
    }
}

extension FernetKey {
    /// A key of one byte repeated.
    fileprivate static func fixed(_ byte: UInt8) -> FernetKey {
        do {
            return try FernetKey(base64: Data(repeating: byte, count: 32).base64EncodedString())
        } catch {
            preconditionFailure("32 bytes are a key: \(error)")
        }
    }
}

/// Runs `body` in an installation with the credentials of `ada` stored and a worker waiting for jobs.
func withInstallation(
    _ options: SyncInstallation.Options = .init(),
    _ body: (SyncInstallation) async throws -> Void
) async throws {
    try await EmptyDatabases.shared.lend { database in
        let application = try PeerSimulatorApplication(
            configuration: SimulatorConfiguration(
                keepPort: 0,
                writerPort: 0,
                notes: .synthetic(count: options.syntheticNotes, noteBytes: 80),
                settings: options.peers
            ),
            logger: Logger(label: "peers") { _ in SwiftLogNoOpLogHandler() }
        )
        let peers = Task { try await application.run() }
        let ports = try await application.ports()
        let http = HTTPClient(configuration: HTTPClientConfiguration(usesProxyFromEnvironment: false))
        let installation = SyncInstallation(
            options,
            database: database,
            simulator: application.simulator,
            ports: ports,
            http: http
        )
        let worker = Task { try await installation.worker.run() }
        let outcome: Result<Void, any Error>
        do {
            try await installation.storeCredentials()
            try await body(installation)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        worker.cancel()
        _ = await worker.result
        peers.cancel()
        _ = await peers.result
        http.shutdown()
        try outcome.get()
    }
}
