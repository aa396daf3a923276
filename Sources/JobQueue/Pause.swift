public import Foundation
public import Postgres

/// What a pause keeps from running.
public enum PauseScope: Hashable, Sendable {
    /// Every job.
    case all
    /// Every job, as each calls this peer.
    case peer(String)
    /// The jobs of a user.
    case user(UserID)
}

/// A pause as its row stands.
public struct Pause: Equatable, Sendable {
    public let scope: PauseScope
    /// Why, in the words of whoever paused.
    public let reason: String
    /// The database role of whoever paused.
    public let pausedBy: String
    public let pausedAt: Date
    /// When it ends by itself; nil: when somebody resumes.
    public let pausedUntil: Date?

    init(_ row: PostgresRow) throws {
        scope = PauseScope(kind: try row.decode("scope"), key: try row.decode("key"))
        reason = try row.decode("reason")
        pausedBy = try row.decode("paused_by")
        pausedAt = try row.decode("paused_at")
        pausedUntil = try row.decode("paused_until")
    }
}

/// The pauses as operators see and make them.
///
/// A claim takes no job of what is paused but forced ones; jobs that run go on to their end. A pause is a row, and ends
/// by the database's clock.
public struct PauseList: Sendable {
    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// The pauses whose time is not over: those of everything, of peers, of users by name.
    ///
    /// - Throws: `PostgresError`.
    public func pauses(limit: Int) async throws -> [Pause] {
        try await pool.query(.pauses(limit: limit)).map(Pause.init)
    }

    /// How many pauses there are of each kind, `all`, `peer` and `user`, counted up to 10,001.
    ///
    /// - Throws: `PostgresError`.
    public func counts() async throws -> [String: Int] {
        var counts = ["all": 0, "peer": 0, "user": 0]
        for row in try await pool.query(.countPauses()) {
            counts[try row.decode("scope")] = try row.decode("count", as: Int.self)
        }
        return counts
    }

    /// Pauses, in place of an earlier pause of the same.
    ///
    /// - Parameter duration: nil: until it is resumed.
    /// - Returns: when it ends by itself, and the pause that was there before.
    /// - Throws: `PostgresError`.
    public func pause(
        _ scope: PauseScope,
        for duration: Duration?,
        reason: String
    ) async throws -> (until: Date?, earlier: Pause?) {
        let rows = try await pool.batch([.pause(scope), .setPause(scope, for: duration, reason: reason)])
        return (try rows[1].first?.decode("paused_until"), try rows[0].first.map(Pause.init))
    }

    /// Ends a pause: the next jobs of what was paused can be claimed at once.
    ///
    /// - Returns: the pause; nil if there was none, or its time was over.
    /// - Throws: `PostgresError`.
    public func resume(_ scope: PauseScope) async throws -> Pause? {
        guard let row = try await pool.query(.endPause(scope)).first else { return nil }
        return try row.decode("is_over") ? nil : Pause(row)
    }

    /// The pause of all, of a peer or of a user; nil: there is none, or its time is over.
    ///
    /// - Throws: `PostgresError`.
    public func current(_ scope: PauseScope) async throws -> Pause? {
        try await pool.query(.pause(scope)).first.map(Pause.init)
    }

    /// A pause that has ended by itself within the last day or so; nil: there was none.
    ///
    /// - Throws: `PostgresError`.
    public func ended(_ scope: PauseScope) async throws -> Pause? {
        try await pool.query(.endedPause(scope)).first.map(Pause.init)
    }

    /// How many jobs of what is paused run now, and go on to their end; counted up to 10,001.
    ///
    /// - Throws: `PostgresError`.
    public func running(_ scope: PauseScope) async throws -> Int {
        try await pool.query(.countRunning(scope)).first?.decode("count") ?? 0
    }
}

extension PauseScope {
    init(kind: String, key: String) {
        self =
            switch kind {
            case "user": .user(UserID(key))
            case "peer": .peer(key)
            default: .all
            }
    }

    /// What it is of: `all`, `peer` or `user`.
    public var kind: String {
        switch self {
        case .all: "all"
        case .peer: "peer"
        case .user: "user"
        }
    }

    /// The name of the peer or the user; empty for everything.
    public var key: String {
        switch self {
        case .all: ""
        case .peer(let name): name
        case .user(let user): user.rawValue
        }
    }
}
