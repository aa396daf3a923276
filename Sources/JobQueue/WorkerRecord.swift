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
    /// Jobs it ran at its last heartbeat; see ``busy``.
    public let running: Int
    public let startedAt: Date
    public let lastSeenAt: Date
    /// Whether it hears notifications; nil where it listens for none, behind a pooler, and finds jobs by polling.
    public let isListening: Bool?
    /// Since when it claims no jobs, as it could only fail them: it does not reach a peer, or another worker is to find
    /// out whether one is back. nil: it claims.
    public let claimsHeldSince: Date?
    /// Since when the database refuses its claims or the results of its jobs, or does not answer them; nil: it does
    /// not.
    public let claimsFailingSince: Date?
    /// Whether it would take a job now.
    public var claims: Bool { claimsHeldSince == nil && claimsFailingSince == nil }
    /// Time since its last heartbeat.
    public let silence: Duration
    /// Whether it has sent no heartbeat in the time in which one that lives does: it died, or can't reach the database.
    public let isSilent: Bool
    /// Whether it may live all the same, cut off from the database for a while.
    public var mayLive: Bool { !isSilent || silence <= .seconds(60) }
    /// Slots that are taken as far as anybody can tell: none of a worker that is silent, whose jobs others take over.
    public var busy: Int { isSilent ? 0 : running }

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
        claimsFailingSince = try row.decode("claims_failing_since")
        silence = .seconds(try row.decode("silence", as: Double.self))
        isSilent = try row.decode("is_silent")
    }
}

extension [WorkerRecord] {
    /// Since when no worker that is there claims jobs, as the first says; nil: one does, or none is there.
    public var allClaimsHeldSince: Date? {
        let present = filter { !$0.isSilent && $0.claimsFailingSince == nil }
        return present.contains { $0.claimsHeldSince == nil } ? nil : present.compactMap(\.claimsHeldSince).min()
    }

    /// Since when the claims of all workers that are there fail, as the first says; nil: one claims or may, or none is
    /// there.
    public var allClaimsFailingSince: Date? {
        let present = filter { !$0.isSilent }
        return present.contains { $0.claimsFailingSince == nil } ? nil : present.compactMap(\.claimsFailingSince).min()
    }
}

extension WorkerRecord {
    /// The name, with the beginning of the instance where several of these workers have it.
    public func label(among workers: [WorkerRecord]) -> String {
        let isShared = workers.contains { $0.name == name && $0.instance != instance }
        return isShared ? "\(name) (\(instance.description.prefix(8)))" : name
    }
}
