public import Foundation
import JobQueue
public import Postgres

/// The alerts as they stand in the database, for an operator to look at and to silence.
public struct AlertRegister: Sendable {
    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// Open alerts, and those that are over if asked for, at most `limit`.
    public func alerts(includesResolved: Bool = false, limit: Int = 200) async throws -> [AlertRecord] {
        try await pool.query(.alerts(includesResolved: includesResolved, limit: limit)).map(AlertRecord.init)
    }

    /// Deliveries that failed for good in the last week, the latest first.
    public func failedDeliveries(limit: Int = 50) async throws -> [FailedDelivery] {
        try await pool.query(.failedDeliveries(limit: limit)).map(FailedDelivery.init)
    }

    /// Channels that are off because their address is gone.
    public func disabledChannels() async throws -> [DisabledChannel] {
        try await pool.query(.disabledChannels()).map { row in
            DisabledChannel(
                name: try row.decode("channel"),
                since: try row.decode("disabled_at"),
                reason: try row.decode("reason")
            )
        }
    }

    /// Whether a worker has had a channel that is on; without one nothing is sent.
    public func hasChannel() async throws -> Bool {
        try await pool.query(.hasChannel()).first?.decode("exist") ?? false
    }

    /// Lets nobody hear of a key for so long; what happens meanwhile is counted.
    ///
    /// - Returns: until when; nil if there has been no alert with this key, which names a cause or a user.
    public func silence(_ key: String, for duration: Duration) async throws -> Date? {
        try await pool.query(.silence(key, for: duration, canArise: Condition.isKey(key))).first?.decode("until")
    }

    /// Switches a channel on again, whose address had been found gone.
    ///
    /// - Returns: whether it was off.
    public func enable(channel: String) async throws -> Bool {
        try await !pool.query(.enableChannel(channel)).isEmpty
    }
}

/// An alert as its row stands.
public struct AlertRecord: Sendable {
    public let key: String
    /// As in ``AlertKind``; a newer program may have written another.
    public let kind: String
    public let severity: AlertSeverity
    public let count: Int
    /// Of the latest occurrence.
    public let jobID: UUID?
    public let userID: String?
    public let error: String?
    /// What a person should do; nil once it is over, and for a kind that this program does not know.
    public var advice: String? { resolvedAt == nil ? AlertKind(rawValue: kind)?.advice : nil }
    /// Some of the users concerned.
    public let users: [String]
    public let firstAt: Date
    public let lastAt: Date
    /// When it was last passed to the channels, if there are any; nil: not yet.
    public let notifiedAt: Date?
    /// When a message of it last arrived on a channel; nil: none has.
    public let deliveredAt: Date?
    /// Whether people have heard of it.
    public let telling: Telling
    public let resolvedAt: Date?
    public let silencedUntil: Date?

    /// How far people have been told of an alert.
    public enum Telling: String, Sendable {
        /// A message has arrived.
        case told
        /// A message is on its way, or about to be.
        case waiting
        /// Messages were made of it, and none arrived.
        case failed
        /// No channel has taken it.
        case nobody
    }

    init(_ row: PostgresRow) throws {
        key = try row.decode("key")
        kind = try row.decode("kind")
        severity = AlertKind(rawValue: kind)?.severity ?? .error
        count = try row.decode("count")
        jobID = try row.decode("job_id")
        userID = try row.decode("user_id")
        error = try row.decode("error")
        users = try row.decode("users")
        firstAt = try row.decode("first_at")
        lastAt = try row.decode("last_at")
        notifiedAt = try row.decode("notified_at")
        deliveredAt = try row.decode("delivered_at")
        telling = Telling(rawValue: try row.decode("telling")) ?? .nobody
        resolvedAt = try row.decode("resolved_at")
        silencedUntil = try row.decode("silenced_until")
    }
}

/// A message that never arrived.
public struct FailedDelivery: Sendable {
    public let channel: String
    /// `trigger`, `repeat`, `resolve` or `held_back`.
    public let event: String
    /// The alert's key; nil for `held_back`.
    public let key: String?
    public let attempts: Int
    public let failedAt: Date
    public let reason: String

    init(_ row: PostgresRow) throws {
        channel = try row.decode("channel")
        event = try row.decode("event")
        key = try row.decode("key")
        attempts = try row.decode("attempt")
        failedAt = try row.decode("finished_at")
        reason = try row.decode("last_error", as: String?.self) ?? ""
    }
}

/// A channel that is off.
public struct DisabledChannel: Sendable {
    public let name: String
    public let since: Date
    public let reason: String
}
