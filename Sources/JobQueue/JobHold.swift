public import Foundation
internal import Postgres

/// Why a queued job does not run: the first of what keeps it.
public enum JobHold: Equatable, Sendable {
    /// It is paused, and not forced.
    case paused(Pause)
    /// It has been snoozed for this gate, which is closed or out of order still, and is due then.
    case snoozed(ClosedGate, until: Date)
    /// It is due later: it has been enqueued for then, or was snoozed, or its last attempt failed, for a reason.
    case later(Date, reason: String?)
    /// Another job of its user runs.
    case running(JobID)
    /// It is due, and no worker is there.
    case noWorker
    /// The pause of its user is over: the job is brought back within half a lease.
    case endedPause(Pause)
    /// It is due, and would come to this gate, which is closed or out of order.
    case gate(ClosedGate)
    /// It is due, and all workers that are there hold their claims, the first since then.
    case claimsHeld(since: Date)
    /// It is due, and waits for a slot or behind another job of its user. Whether any worker that claims has a slot
    /// free.
    case slot(isFree: Bool)
}

/// A gate that lets no call pass, or the peer of which is out of order.
public struct ClosedGate: Equatable, Sendable {
    public let name: String
    /// Since when its peer is out of order; nil: it is not.
    public let outOfOrderSince: Date?
    /// Until when it is closed; nil: it is not.
    public let closedUntil: Date?
    /// Why it lets no call pass, and who has closed it, if it is not its peer.
    public let reason: String
    public let closedBy: String?

    init(_ row: PostgresRow) throws {
        name = try row.decode("gate")
        outOfOrderSince = try row.decode("opened_at")
        closedUntil = try row.decode("closed_until")
        let isBroken = outOfOrderSince != nil
        reason = try row.decode(isBroken ? "opened_reason" : "closed_reason", as: String?.self) ?? ""
        closedBy = isBroken ? nil : try row.decode("closed_by")
    }
}

extension JobClient {
    /// Why a job does not run; nil for one that is not queued.
    ///
    /// - Parameter gates: what every job has to pass, by name.
    /// - Throws: `PostgresError`.
    public func hold(on id: JobID, behind gates: [String] = []) async throws -> JobHold? {
        guard let row = try await pool.query(.hold(on: id, behind: gates)).first else { return nil }
        let gate = try row.decode("gate", as: String?.self) == nil ? nil : try ClosedGate(row)
        if try row.decode("scope", as: String?.self) != nil { return .paused(try Pause(row)) }
        if try row.decode("is_later") {
            let dueAt: Date = try row.decode("run_at")
            if let gate { return .snoozed(gate, until: dueAt) }
            return .later(dueAt, reason: try row.decode("delay_reason"))
        }
        if let running = try row.decode("running", as: UUID?.self) { return .running(JobID(running)) }
        let present = try await workers().filter { !$0.isSilent }
        if present.isEmpty { return .noWorker }
        if let pause = try await endedPause(keeping: id) { return .endedPause(pause) }
        if let gate { return .gate(gate) }
        let claiming = present.filter { $0.claimsHeldSince == nil }
        if claiming.isEmpty, let since = present.compactMap(\.claimsHeldSince).min() {
            return .claimsHeld(since: since)
        }
        return .slot(isFree: claiming.contains { $0.running < $0.slots })
    }

    /// The pause that has kept a queued job from running and is over, while the job has not been brought back; nil:
    /// there is none.
    private func endedPause(keeping id: JobID) async throws -> Pause? {
        try await pool.query(.endedPause(keeping: id)).first.map(Pause.init)
    }

    /// The gate among these that lets no call pass now; nil: all are open.
    ///
    /// - Throws: `PostgresError`.
    public func closedGate(among gates: [String]) async throws -> ClosedGate? {
        try await pool.query(.closedGate(among: gates)).first.map(ClosedGate.init)
    }

    /// The gates that jobs of a user have been snoozed for, by name.
    ///
    /// - Throws: `PostgresError`.
    public func gatesAwaited(by user: UserID) async throws -> [String] {
        try await pool.query(.gatesAwaited(by: user)).map { try $0.decode("gate") }
    }
}
