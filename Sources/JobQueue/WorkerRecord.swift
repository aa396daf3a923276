public import Foundation
internal import Postgres

/// A worker as its row stands.
public struct WorkerRecord: Sendable {
    public let instance: WorkerInstance
    /// For people; two may have the same.
    public let name: String
    public let version: String
    /// Jobs it runs at once.
    public let slots: Int
    /// Jobs it ran at its last heartbeat.
    public let running: Int
    public let startedAt: Date
    public let lastSeenAt: Date
    /// Whether it hears notifications; nil where it listens for none, behind a pooler, and finds jobs by polling.
    public let isListening: Bool?
    /// Since when it claims no jobs, as it could only fail them: it does not reach a peer, or another worker is to find
    /// out whether one is back. nil: it claims.
    public let claimsHeldSince: Date?
    /// Time since its last heartbeat.
    public let silence: Duration
    /// Whether it has been silent for longer than any worker that lives: it died, or can't reach the database.
    public var isSilent: Bool { silence > .seconds(60) }

    init(_ row: PostgresRow) throws {
        instance = WorkerInstance(try row.decode("instance"))
        name = try row.decode("worker")
        version = try row.decode("version")
        slots = try row.decode("slots")
        running = try row.decode("running")
        startedAt = try row.decode("started_at")
        lastSeenAt = try row.decode("last_seen_at")
        isListening = try row.decode("listening")
        claimsHeldSince = try row.decode("claims_held_since")
        silence = .seconds(try row.decode("silence", as: Double.self))
    }
}

extension WorkerRecord {
    /// The name, with the beginning of the instance where several of these workers have it.
    public func label(among workers: [WorkerRecord]) -> String {
        let isShared = workers.contains { $0.name == name && $0.instance != instance }
        return isShared ? "\(name) (\(instance.description.prefix(8)))" : name
    }
}
