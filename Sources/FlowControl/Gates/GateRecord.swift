public import Foundation
public import Postgres

/// A gate as the table has it, for people.
public struct GateRecord: Sendable {
    public let name: GateName
    /// How long it stays closed; zero: open.
    public let closedFor: Duration
    /// When it was last closed; nil: never.
    public let closedAt: Date?
    /// When it opens, or has opened.
    public let closedUntil: Date?
    /// Why it was last closed.
    public let reason: String?
    public let closedBy: String?
    /// Permits a second at most, and now; nil: it has no pace.
    public let rate: Double?
    public let pace: Double?
    /// Permits taken in the last sixty seconds, nearly: what was taken in the minute before is spread evenly over it.
    public let recentPermits: Int
    public let usedAt: Date
    /// Since when the breaker of the peer is open; nil: it is not.
    public let openedAt: Date?
    /// Since when the peer is out of order: when its breaker was first opened without a call that succeeded since. nil:
    /// it is not.
    public let brokenSince: Date?
    /// Why it was opened, and by which worker.
    public let openedReason: String?
    public let openedBy: String?
    /// When it is probed next.
    public let probeAt: Date?
    /// In how long.
    public let probeIn: Duration?
    /// Whether a worker probes it now.
    public let isProbed: Bool

    /// Whether no call passes: it is closed, or the breaker is open and one worker at most probes.
    public var isClosed: Bool { closedFor > .zero || openedAt != nil }
    /// Whether the peer has had too much lately.
    public var isSlowed: Bool { if let rate, let pace { pace < rate } else { false } }

    init(_ row: PostgresRow) throws {
        name = GateName(rawValue: try row.decode("gate"))
        closedFor = .seconds(try row.decode("closed_for", as: Double.self))
        closedAt = try row.decode("closed_at")
        closedUntil = try row.decode("closed_until")
        reason = try row.decode("reason")
        closedBy = try row.decode("closed_by")
        rate = try row.decode("rate")
        pace = try row.decode("pace")
        recentPermits = try row.decode("recent_permits")
        usedAt = try row.decode("used_at")
        openedAt = try row.decode("opened_at")
        brokenSince = try row.decode("broken_since")
        openedReason = try row.decode("opened_reason")
        openedBy = try row.decode("opened_by")
        probeAt = try row.decode("probe_at")
        probeIn = try row.decode("probe_in", as: Double?.self).map { .seconds($0) }
        isProbed = try row.decode("is_probed", as: Bool?.self) ?? false
    }
}

/// What has come of closing a gate by hand.
public struct GateClosing: Sendable {
    /// How a gate was closed before.
    public struct Earlier: Sendable {
        public let closedUntil: Date
        public let reason: String
        public let closedBy: String
    }

    /// Whether it is closed as was asked for; false: it was closed for longer already, and stays so.
    public let isChanged: Bool
    public let closedUntil: Date
    /// nil: it was open.
    public let earlier: Earlier?

    init(_ row: PostgresRow) throws {
        isChanged = try row.decode("is_changed")
        closedUntil = try row.decode("closed_until")
        earlier = try row.decode("earlier_until", as: Date?.self).map { until in
            Earlier(
                closedUntil: until,
                reason: try row.decode("earlier_reason", as: String?.self) ?? "",
                closedBy: try row.decode("earlier_closed_by", as: String?.self) ?? ""
            )
        }
    }
}

/// The gates as operators see and move them.
public struct GateList: Sendable {
    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// The gates that are closed, slowed or in use, those of peers first, then the closed ones.
    ///
    /// - Parameter isComplete: also those that nothing has passed for ten minutes.
    /// - Throws: `PostgresError`.
    public func gates(isComplete: Bool, limit: Int) async throws -> [GateRecord] {
        try await pool.query(.gates(isComplete: isComplete, limit: limit)).map(GateRecord.init)
    }

    /// Opens a gate, and closes the breaker of a peer.
    ///
    /// - Returns: for how long it would have stayed closed, and whether a breaker was open; nil: there is no such gate.
    public func open(_ name: GateName) async throws -> (closedFor: Duration, wasBroken: Bool)? {
        try await pool.query(.openGate(name)).first.map { row in
            (.seconds(try row.decode("closed_for", as: Double.self)), try row.decode("was_broken"))
        }
    }

    /// Makes jobs due that were snoozed for a gate, over up to a minute where they are many; some at a time, so that
    /// those that are done are done, whatever comes next.
    ///
    /// - Returns: how many.
    public func releaseJobs(behind name: GateName) async throws -> Int {
        let waiting: Int = try await pool.query(.countJobs(behind: name)).first?.decode("count") ?? 0
        let spread = Duration.seconds(min(waiting / 20, 60))
        var released = 0
        // Others may put more off meanwhile.
        while released < waiting {
            let some = try await pool.query(.releaseJobs(behind: name, within: spread, limit: Self.releasedAtOnce))
                .count
            if some == 0 { break }
            released += some
        }
        return released
    }

    /// A second or so of the server.
    private static let releasedAtOnce = 5000

    /// Closes a gate: of a peer, or one that is there. One that is closed for longer stays as it is, its reason
    /// included.
    ///
    /// - Returns: what has come of it; nil if there is no such gate.
    public func close(_ name: GateName, for duration: Duration, reason: String) async throws -> GateClosing? {
        try await pool.query(.closeGate(name, for: duration, reason: reason)).first.map(GateClosing.init)
    }
}
