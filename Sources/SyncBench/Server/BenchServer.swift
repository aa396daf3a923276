import Foundation
import Logging
import Postgres
import SyncSchema
import TestSupport

/// The PostgreSQL server of a measurement: a private one that flushes to the disk, or one that is there already.
struct BenchServer: Sendable {
    private let cluster: PrivateCluster?
    private let url: String
    /// The folder of `pgbench`.
    let binaries: String
    /// The server's parent process; nil when it is not on this machine.
    let process: Int32?
    /// Its version and the settings that decide about figures.
    let settings: [String: String]

    /// Starts a private server, with PostgreSQL's own defaults.
    static func start(further: [String: String] = [:]) async throws -> BenchServer {
        // Over what the tests use: the server's defaults, and all that makes a commit durable.
        let settings = ["shared_buffers": "128MB", "max_connections": "100", "timezone": "UTC"]
        let cluster = try await PrivateCluster.start(
            PrivateCluster.Options(fsync: true, settings: settings.merging(further) { $1 })
        )
        return try await BenchServer(
            cluster: cluster,
            url: cluster.connectionString(database: "postgres"),
            binaries: cluster.binaries,
            folder: cluster.folder
        )
    }

    /// Uses a server that is there. Databases are made in it and dropped again; others are left alone.
    static func existing(_ url: String) async throws -> BenchServer {
        let newest = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql").compactMap { Int($0) }
            .max()
        return try await BenchServer(
            cluster: nil,
            url: url,
            binaries: newest.map { "/usr/lib/postgresql/\($0)/bin" } ?? "/usr/bin",
            folder: nil
        )
    }

    private init(cluster: PrivateCluster?, url: String, binaries: String, folder: String?) async throws {
        self.cluster = cluster
        self.url = url
        self.binaries = binaries
        let pool = Self.pool(url)
        let rows = try await pool.query(
            """
            SELECT name, current_setting(name) AS value FROM pg_settings
            WHERE name IN ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers',
                'wal_sync_method', 'autovacuum', 'max_connections', 'shared_preload_libraries')
            """
        )
        var settings: [String: String] = [:]
        for row in rows { settings[try row.decode("name")] = try row.decode("value") }
        settings["file system"] = folder.map(Machine.fileSystem(of:))
        self.settings = settings
        let backend: Int32 = try await pool.query("SELECT pg_backend_pid() AS pid").first?.decode("pid") ?? 0
        process = ProcessorTime.parent(of: backend)
        await pool.shutdown()
    }

    /// A new database, with the tables of the service in it if asked for.
    func makeDatabase(_ name: String, migrated: Bool = true) async throws -> BenchDatabase {
        let name = "sync_bench_\(getpid())_\(name)"
        try await administer("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
        try await administer("CREATE DATABASE \(identifier: name)")
        let target = url(of: name)
        let pool = Self.pool(target)
        if migrated { try await Migrator(migrations: SyncSchema.migrations).migrate(on: pool) }
        return BenchDatabase(name: name, url: target, pool: pool, server: self)
    }

    func drop(_ database: BenchDatabase) async throws {
        await database.pool.shutdown()
        try await administer("DROP DATABASE IF EXISTS \(identifier: database.name) WITH (FORCE)")
    }

    /// Ends a private server and removes its files.
    func stop() async throws {
        try await cluster?.remove()
    }

    /// Processor time of all its processes so far; nil when it is not on this machine.
    var processorTime: Duration? { process.map(ProcessorTime.ofTree) }

    private func administer(_ statement: PostgresQuery) async throws {
        let pool = Self.pool(url)
        try await pool.execute(statement)
        await pool.shutdown()
    }

    /// The last `dbname` counts, in a URI as well as among keywords.
    private func url(of database: String) -> String {
        guard url.contains("://") else { return url + " dbname=\(database)" }
        return url + (url.contains("?") ? "&" : "?") + "dbname=\(database)"
    }

    static let logger = Logger(label: "sync-bench")

    private static func pool(_ url: String) -> PostgresPool {
        PostgresPool(
            configuration: PostgresConfiguration(
                connectionString: url,
                applicationName: "sync-bench",
                queryTimeout: nil
            ),
            size: 4,
            logger: logger
        )
    }
}

/// A database made for a measurement.
struct BenchDatabase: Sendable {
    let name: String
    let url: String
    let pool: PostgresPool
    let server: BenchServer

    func count(_ query: PostgresQuery) async throws -> Int {
        try await pool.query(query).first?.decode(at: 0) ?? 0
    }

    /// Writes dirty pages now, so that no measurement pays for the one before it.
    func settle(_ table: String) async throws {
        try await pool.execute("VACUUM (ANALYZE) \(identifier: table)")
        try await pool.execute("CHECKPOINT")
    }
}
