import Fernet
import Foundation
import Postgres
import Support
import SyncSchema
import TestSupport

/// What is attacked: two workers, a sidecar and an intake, each under its role of `deploy/roles.sql`, on a server of
/// their own.
final class HostileInstallation: Sendable {
    let database: TestDatabase
    let peers: Peers
    let programs: [(name: String, run: ProgramRun)]
    let sidecarPort: Int
    let intakePort: Int

    /// Bounds that are met within seconds.
    private static let settings = [
        "SYNC_LEASE": "5s", "SYNC_POLL_INTERVAL": "1s", "SYNC_JOB_BACKOFF_BASE": "100ms", "SYNC_JOB_BACKOFF_CAP": "1s",
        "SYNC_NOTE_BACKOFF_BASE": "20ms", "SYNC_NOTE_BACKOFF_CAP": "100ms", "SYNC_UNKNOWN_COOLDOWN": "1s",
        "NOTION_WRITER_TIMEOUT": "4s", "KEEP_AUTH_TIMEOUT": "4s", "KEEP_EXTRACTOR_TIMEOUT": "10s",
        "SYNC_MAX_FETCH_BYTES": "32MiB", "SYNC_MAX_WORKER_FETCH_BYTES": "64MiB", "SYNC_WORKER_CONCURRENCY": "4",
    ].merging(unpacedSettings) { $1 }

    private init(
        database: TestDatabase,
        peers: Peers,
        programs: [(name: String, run: ProgramRun)],
        sidecarPort: Int,
        intakePort: Int
    ) {
        self.database = database
        self.peers = peers
        self.programs = programs
        self.sidecarPort = sidecarPort
        self.intakePort = intakePort
    }

    static func start(seed: UInt64) async throws -> HostileInstallation {
        let cluster = try await PrivateCluster.start()
        let database = try await cluster.createDatabase()
        let key = try FernetKey.generate().base64
        try await prepare(database, key: key)
        let peers = try await Peers.start([
            "--synthetic", "6", "--note-bytes", "200", "--keep-port", "0", "--writer-port", "0",
            "--concurrent-extractor",
            "--seed", "\(seed)", "--latency-ms", "5",
        ])
        let environment = settings.merging([
            "AWS_ENCRYPTION_KEY": key, "KEEP_EXTRACTOR_URL": "http://127.0.0.1:\(peers.extractorPort)",
            "NOTION_WRITER_URL": "http://127.0.0.1:\(peers.writerPort)",
        ]) { $1 }
        func start(_ product: String, _ name: String, _ role: String, port: Int? = nil) throws -> (String, ProgramRun) {
            var all = environment
            all["DATABASE_URL"] = database.connectionString(of: role)
            all["SYNC_WORKER_NAME"] = name
            all["SYNC_SERVICE_PORT"] = port.map(String.init)
            return (name, try ProgramRun.start(product, environment: all))
        }
        let ports = (sidecar: try freePort(), intake: try freePort())
        let programs = [
            try start("sync-worker", "worker-1", "sync_worker"), try start("sync-worker", "worker-2", "sync_worker"),
            try start("sync-sidecar", "sidecar", "sync_sidecar", port: ports.sidecar),
            try start("sync-intake", "intake", "sync_intake", port: ports.intake),
        ]
        for (_, run) in programs { try await run.waitForLine(containing: "Ready.") }
        return HostileInstallation(
            database: database,
            peers: peers,
            programs: programs,
            sidecarPort: ports.sidecar,
            intakePort: ports.intake
        )
    }

    /// The roles, the tables, and everybody's credentials.
    private static func prepare(_ database: TestDatabase, key: String) async throws {
        try await expectSuccess(database.runRolesFile("prepare=yes"))
        let owner = try await database.connect()
        try await owner.execute("SET ROLE sync_owner")
        try await Migrator(migrations: SyncSchema.migrations).migrate(on: owner)
        await owner.close()
        try await expectSuccess(database.runRolesFile())
        let stored = StoredSecret(keyRing: try FernetKeyRing(key))
        for user in HostileUsers.honest + HostileUsers.withCredentials {
            try await database.pool.execute(
                """
                INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
                VALUES (\(user), \(try stored.encrypt("aas_et/\(user)")), \(try stored.encrypt("ntn_\(user)")),
                    \(HostilePeers.databaseID(of: user)))
                """
            )
        }
    }

    private static func expectSuccess(_ run: ProgramRun) throws {
        guard run.exit == .code(0) else { throw ChaosError("deploy/roles.sql: \(run.transcript)") }
    }

    /// The most memory that each program has had, in bytes.
    func peakMemory() throws -> [String: Int] {
        var peaks: [String: Int] = [:]
        for (name, run) in programs where run.exit == nil {
            let status = try String(contentsOfFile: "/proc/\(run.processID)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            peaks[name] = line.flatMap { Int($0.filter(\.isNumber)) }.map { $0 << 10 } ?? 0
        }
        return peaks
    }

    func remove() async throws {
        for (_, run) in programs { await run.kill() }
        await peers.program.kill()
        await database.pool.shutdown()
        try await database.cluster.remove()
    }
}
