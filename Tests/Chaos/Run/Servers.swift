import ChaosChecker
import Foundation
import Postgres
import SyncSchema
import TestSupport

/// The PostgreSQL of a run: one server, or two of which one follows the other and takes over when that one is lost.
actor Servers {
    /// The first is the primary to begin with.
    nonisolated let all: [PrivateCluster]
    /// The way of what is replicated from each server.
    private let replication: [FaultyLink]
    /// Whether a commit waits until the standby has it.
    nonisolated let isSynchronous: Bool
    private var primary = 0
    private var isBusy = false

    static let password = "DATABASE-password-kept-secret"

    /// When a server was lost and another took its place.
    struct Failover: Sendable {
        var lostAt: History.Instant
        var promotedAt: History.Instant
    }

    /// A server that is used for several runs, one after the other.
    static func single() async throws -> Servers {
        let cluster = try await PrivateCluster.start(PrivateCluster.Options(password: password))
        return Servers(all: [cluster], replication: [], isSynchronous: false)
    }

    /// A server and its standby, for one run.
    static func pair(isSynchronous: Bool) async throws -> Servers {
        let options = PrivateCluster.Options(
            password: password,
            // Followers come back at once, and find what they have missed.
            settings: ["wal_keep_size": "512MB", "wal_retrieve_retry_interval": "100ms"]
        )
        let primary = try await PrivateCluster.start(options)
        let way = try await FaultyLink.start(to: primary.port)
        let standby = try await PrivateCluster.startStandby(of: primary, port: way.port)
        let back = try await FaultyLink.start(to: standby.port)
        let servers = Servers(all: [primary, standby], replication: [way, back], isSynchronous: isSynchronous)
        try await servers.awaitStandby()
        return servers
    }

    private init(all: [PrivateCluster], replication: [FaultyLink], isSynchronous: Bool) {
        self.all = all
        self.replication = replication
        self.isSynchronous = isSynchronous
    }

    /// Removes the servers.
    func remove() async throws {
        for cluster in all { try await cluster.remove() }
        for link in replication { await link.stop() }
    }

    /// A database with the tables.
    func createDatabase() async throws -> TestDatabase {
        try await all[primary].createDatabase(migrations: SyncSchema.migrations)
    }

    /// A URI of a database that leads to whichever server takes writes.
    ///
    /// - Parameter ports: of the servers, or of relays to them.
    static func connectionString(database: String, ports: [Int], application: String) -> String {
        let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
        return "postgresql://postgres:\(password)@\(hosts)/\(database)?application_name=\(application)"
    }

    // MARK: What is done to them

    /// Runs `body` while nothing else is done to the servers.
    ///
    /// - Parameter waits: whether it waits for its turn.
    /// - Returns: nil if it was not its turn.
    func alone<R: Sendable>(waits: Bool = false, _ body: @Sendable (Servers) async throws -> R) async throws -> R? {
        while isBusy {
            guard waits else { return nil }
            await Clock.pause(milliseconds: 20)
        }
        isBusy = true
        defer { isBusy = false }
        return try await body(self)
    }

    /// The server that takes writes.
    var current: PrivateCluster { all[primary] }

    /// Ends all processes of the server at once, and starts it again.
    func restart(downMilliseconds: Int) async throws {
        try await current.stop(mode: .immediate)
        await Clock.pause(milliseconds: downMilliseconds)
        try await current.start()
    }

    /// Loses the server, and has its standby take its place.
    ///
    /// - Parameter silence: how long before its end nothing of it reaches the standby any more, in milliseconds.
    func failOver(silence: Int) async throws -> Failover {
        let way = replication[primary]
        let next = all[1 - primary]
        way.set(.hold)
        await Clock.pause(milliseconds: silence)
        let lostAt = Clock.now
        try await current.stop(mode: .immediate)
        way.cut()
        // Nobody is there to wait for, and a cluster that is looked after says so before it promotes.
        try await next.setSynchronous(false)
        try await next.promote()
        way.set(.pass)
        primary = 1 - primary
        return Failover(lostAt: lostAt, promotedAt: Clock.now)
    }

    /// The server that was lost is there again as it was, read-only and behind.
    func findLostServer() async throws -> PrivateCluster {
        let lost = all[1 - primary]
        try await lost.becomeStale()
        try await lost.start()
        return lost
    }

    /// The server that was lost becomes the standby of the other.
    func rejoinLostServer() async throws {
        let lost = all[1 - primary]
        try await lost.stop()
        try await lost.follow(current, port: replication[primary].port)
        try await lost.start()
        try await awaitStandby()
    }

    private func awaitStandby() async throws {
        try await current.waitForStandby(isSynchronous: false)
        guard isSynchronous else { return }
        try await current.setSynchronous(true)
        try await current.waitForStandby(isSynchronous: true)
    }
}
