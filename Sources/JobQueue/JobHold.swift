public import Foundation
internal import Postgres

/// Why a queued job does not run: one of the things that keep it.
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
    /// It is due, and all workers that are there hold their claims, the first since then; calls of these peers fail, as
    /// far as anybody has recorded.
    case claimsHeld(since: Date, peers: [String] = [])
    /// It is due, and the claims of all workers that are there fail, the first since then.
    case claimsFail(since: Date)
    /// It is due, and waits for a slot or behind another job of its user. Whether any worker that claims has a slot
    /// free.
    case slot(isFree: Bool)
}

/// A gate that lets no call pass, or the peer of which is out of order.
public struct ClosedGate: Equatable, Sendable {
    public let name: String
    /// Since when its peer is out of order, with what openings of its breaker no call has succeeded between; nil: it is
    /// not.
    public let outOfOrderSince: Date?
    /// Since when it is closed; nil: it is not.
    public let closedAt: Date?
    /// Until when it is closed; nil: it is not.
    public let closedUntil: Date?
    /// Why it lets no call pass, and who has closed it, if it is not its peer.
    public let reason: String
    public let closedBy: String?

    init(_ row: PostgresRow) throws {
        name = try row.decode("gate")
        outOfOrderSince = try row.decode("opened_at")
        closedAt = try row.decode("closed_at")
        closedUntil = try row.decode("closed_until")
        let isBroken = outOfOrderSince != nil
        reason = try row.decode(isBroken ? "opened_reason" : "closed_reason", as: String?.self) ?? ""
        closedBy = isBroken ? nil : try row.decode("closed_by")
    }
}

/// A row of `hold`.
struct HoldRow: Sendable {
    let isLater: Bool
    let dueAt: Date
    let delayReason: String?
    let running: JobID?
    let gate: ClosedGate?
    let pause: Pause?

    init(_ row: PostgresRow) throws {
        isLater = try row.decode("is_later")
        dueAt = try row.decode("run_at")
        delayReason = try row.decode("delay_reason")
        running = try row.decode("running", as: UUID?.self).map(JobID.init)
        gate = try row.decode("gate", as: String?.self) == nil ? nil : ClosedGate(row)
        pause = try row.decode("scope", as: String?.self) == nil ? nil : Pause(row)
    }
}

extension JobClient {
    /// Why a job does not run: the first of what keeps it; nil for one that is not queued.
    ///
    /// - Parameter gates: what every job has to pass, by name.
    /// - Throws: `PostgresError`.
    public func hold(on id: JobID, behind gates: [String] = []) async throws -> JobHold? {
        try await holds(on: id, behind: gates).first
    }

    /// All that keeps a job from running, of pauses and gates that which lasts longest; empty for one that is not
    /// queued. Where nothing else does it waits for a slot.
    ///
    /// - Parameter gates: what every job has to pass, by name.
    /// - Throws: `PostgresError`.
    public func holds(on id: JobID, behind gates: [String] = []) async throws -> [JobHold] {
        guard let row = try await pool.query(.hold(on: [id], behind: gates)).first else { return [] }
        let found = try HoldRow(row)
        let gate = found.gate
        var holds: [JobHold] = found.pause.map { [.paused($0)] } ?? []
        if found.isLater {
            let later = JobHold.later(found.dueAt, reason: found.delayReason)
            holds.append(gate.map { .snoozed($0, until: found.dueAt) } ?? later)
            // What is due at a time of its own may find a worker by then.
            if case .later(_, nil) = later, gate == nil { return holds }
            return try await presentWorkers().isEmpty ? holds + [.noWorker] : holds
        }
        if let running = found.running { holds.append(.running(running)) }
        let present = try await presentWorkers()
        if present.isEmpty { holds.append(.noWorker) }
        if let pause = try await endedPause(keeping: id) { holds.append(.endedPause(pause)) }
        if let gate { holds.append(.gate(gate)) }
        if let since = present.allClaimsHeldSince {
            holds.append(.claimsHeld(since: since, peers: try await failingPeers()))
        }
        if let since = present.allClaimsFailingSince { holds.append(.claimsFail(since: since)) }
        let isFree = present.contains { $0.claims && $0.running < $0.slots }
        return holds.isEmpty ? [.slot(isFree: isFree)] : holds
    }

    private func presentWorkers() async throws -> [WorkerRecord] {
        try await workers().filter { !$0.isSilent }
    }

    /// The gates of peers that are out of order, or calls of which have failed within the last minute without a success
    /// since: those that workers may hold their claims for.
    ///
    /// - Throws: `PostgresError`.
    public func failingPeers() async throws -> [String] {
        try await pool.query(.failingPeers()).map { try $0.decode("gate") }
    }

    /// The pause that has kept a queued job from running and is over, while the job has not been brought back; nil:
    /// there is none.
    func endedPause(keeping id: JobID) async throws -> Pause? {
        try await pool.query(.endedPause(keeping: id)).first.map(Pause.init)
    }

    /// The gate among these that lets no call pass now; nil: all are open.
    ///
    /// - Throws: `PostgresError`.
    public func closedGate(among gates: [String]) async throws -> ClosedGate? {
        try await closedGates(among: gates, limit: 1).first
    }

    /// The gates among these that let no call pass now; first what nobody knows the end of, then what ends last.
    ///
    /// - Throws: `PostgresError`.
    public func closedGates(among gates: [String], limit: Int = 100) async throws -> [ClosedGate] {
        try await pool.query(.closedGates(among: gates, limit: limit)).map(ClosedGate.init)
    }

    /// The gates that jobs of a user have been snoozed for, by name.
    ///
    /// - Throws: `PostgresError`.
    public func gatesAwaited(by user: UserID) async throws -> [String] {
        try await pool.query(.gatesAwaited(by: user)).map { try $0.decode("gate") }
    }
}
