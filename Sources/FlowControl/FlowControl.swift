internal import JobQueue
public import Postgres
internal import Support

/// The gates that calls of the peers pass, as one worker has them. What is decided stands in the database, by its clock
/// and for all workers; what this worker has heard of it is remembered until it is over, so that none of its jobs has
/// to ask again.
public final class FlowControl: Sendable {
    /// A gate that is closed.
    public struct Closing: Sendable {
        public let gate: GateName
        public let opensAt: ContinuousClock.Instant
        public let reason: String
        /// Refusals in a row.
        public let refusals: Int
        /// Whether the peer is out of order: then nobody waits for it in a slot.
        public var isBroken = false
        /// Whether another worker is there that may probe the peer.
        public var isProbedByOthers = false
        /// Until when that is known; somebody may open it by hand.
        public let isKnownUntil: ContinuousClock.Instant

        /// How much longer it is closed.
        public var wait: Duration { max(opensAt - .now, .zero) }
    }

    /// What comes of asking to pass.
    public enum Admission: Sendable {
        case permits(Permits)
        case closed(Closing)
        /// The breaker of this peer is open, and the caller is who finds out whether it can be closed: it makes a call
        /// of its own and says what came of it, with this lease.
        case probe(Peer, lease: Int64)
    }

    public let configuration: FlowConfiguration
    let pool: PostgresPool
    private let closings = Mutex<[GateName: Closing]>([:])
    private let traffic = Mutex(CallTraffic())
    /// Peers of which calls have failed lately.
    let doubted = Mutex<Set<Peer>>([])
    /// Whether other workers were there when a failure was last told.
    let othersArePresent = Mutex(false)
    /// Peers of which the last call of this worker has succeeded.
    let proven = Mutex<Set<Peer>>([])
    /// When permits were last asked for, of gates of which some may be left.
    let passed = Mutex<[GateName: ContinuousClock.Instant]>([:])
    let isHearing = Mutex(false)
    let isToLook = Wakeup()

    public init(pool: PostgresPool, configuration: FlowConfiguration) {
        self.pool = pool
        self.configuration = configuration
    }

    // MARK: Passing

    /// Asks the database to let calls pass, and takes permits where there is a pace.
    ///
    /// - Parameters:
    ///   - gates: those that the calls pass.
    ///   - paced: the one among them whose permits are taken.
    ///   - wanted: permits.
    ///   - unused: permits of an earlier answer that are given back.
    ///   - hasSucceeded: whether a call has succeeded since the gate last refused one.
    ///   - mayProbe: whether the caller would make a probe.
    /// - Throws: `PostgresError`.
    public func take(
        _ wanted: Int,
        passing gates: [GateName],
        paced: GateName,
        unused: UnusedPermits = .none,
        hasSucceeded: Bool = false,
        mayProbe: Bool = false
    ) async throws -> Admission {
        let lease = mayProbe ? Int64.random(in: 1 ... .max) : nil
        let limit = configuration.pace(of: paced)
        // Before it is answered: it may be closed while the answer is under way.
        if wanted > 0 { passed.withLock { passed in for gate in gates { passed[gate] = .now } } }
        let query = PostgresQuery.takePermits(
            passing: gates,
            paced: limit.isOff ? nil : paced,
            limit,
            wanted: wanted,
            unused: unused,
            horizon: configuration.horizon,
            hasSucceeded: hasSucceeded,
            lease: lease,
            probeTime: configuration.breaker.probeTime,
            process: configuration.process
        )
        guard let row = try await pool.query(query).first else {
            return .permits(Permits(unlimitedUntil: .now + configuration.refreshInterval))
        }
        if try row.decode("is_doubted") { doubted.withLock { $0.formUnion(gates.compactMap(\.peer)) } }
        if let lease, let probed = try row.decode("probed", as: GateName?.self)?.peer {
            return .probe(probed, lease: lease)
        }
        if let blocker = try row.decode("blocker", as: GateName?.self) {
            let wait = Duration.seconds(try row.decode("wait", as: Double.self))
            let reason = try row.decode("why", as: String?.self) ?? ""
            // A pace that is used up says nothing of the permits that other jobs hold.
            guard let refusals = try row.decode("refusals", as: Int?.self) else {
                return .closed(
                    Closing(gate: blocker, opensAt: .now + wait, reason: reason, refusals: 0, isKnownUntil: .now)
                )
            }
            let isBroken: Bool = try row.decode("is_broken")
            return .closed(remember(blocker, for: wait, reason: reason, refusals: refusals, isBroken: isBroken))
        }
        forget(gates)
        guard let spacing = try row.decode("spacing", as: Double?.self), wanted > 0 else {
            return .permits(Permits(unlimitedUntil: .now + configuration.refreshInterval))
        }
        FlowMetrics.took(wanted, of: paced)
        let startsIn = Duration.seconds(try row.decode("starts_in", as: Double.self))
        let schedule = try row.decode("schedule", as: Int64.self)
        return .permits(Permits(count: wanted, startsIn: startsIn, spacing: .seconds(spacing), schedule: schedule))
    }

    /// The closing of some gates that lasts longest, as far as this worker has heard; nil: none is known.
    public func closing(of gates: [GateName]) -> Closing? {
        closings.withLock { closings in
            // As it is nearly always.
            if closings.isEmpty { return nil }
            let now = ContinuousClock.now
            return gates.compactMap { closings[$0] }.filter { now < min($0.opensAt, $0.isKnownUntil) }
                .max { $0.opensAt < $1.opensAt }
        }
    }

    /// How long a closing is taken for granted.
    private static let trust = Duration.seconds(2)
    private static let trustUnshared = Duration.seconds(30)

    /// - Parameter isShared: whether the database knows of it too. What it has not been told of yet is trusted for no
    ///   longer: it may have been opened by hand meanwhile.
    @discardableResult
    func remember(
        _ gate: GateName,
        for wait: Duration,
        reason: String,
        refusals: Int,
        isBroken: Bool = false,
        isProbedByOthers: Bool = false,
        isShared: Bool = true
    ) -> Closing {
        let now = ContinuousClock.now
        let closing = Closing(
            gate: gate,
            opensAt: now + wait,
            reason: reason,
            refusals: refusals,
            isBroken: isBroken,
            isProbedByOthers: isProbedByOthers,
            isKnownUntil: now + min(wait, isShared ? Self.trust : Self.trustUnshared)
        )
        closings.withLock { closings in
            closings = closings.filter { $0.value.isKnownUntil > now }
            closings[gate] = closing
        }
        return closing
    }

    /// The database says that gates are open; what it has not been told of stays.
    func forget(_ gates: [GateName]) {
        closings.withLock { closings in
            for gate in gates
            where closings[gate].map({ $0.isKnownUntil < $0.opensAt || $0.wait < Self.trust }) ?? false {
                closings[gate] = nil
            }
        }
    }

    // MARK: Refusals

    /// Closes a gate that has refused a call, for this worker at once and then for all, and slows its pace.
    ///
    /// - Parameters:
    ///   - asked: the time that the peer asks for; nil: a back-off.
    ///   - began: when the call was made.
    ///   - hasSucceeded: whether a call has succeeded since the gate last refused one.
    /// - Returns: how long it is closed. Where the database can't be told, this worker keeps to it alone.
    public func refuse(
        _ gate: GateName,
        asked: Duration?,
        began: ContinuousClock.Instant,
        reason: String,
        hasSucceeded: Bool
    ) async -> Closing {
        FlowMetrics.throttled(gate)
        // No time at all is none to keep to.
        let asked = asked.flatMap { $0 > .zero ? $0 : nil }
        let longest = configuration.longestClosing(of: gate)
        let before = closing(of: [gate])
        let atOnce = max(min(asked ?? .seconds(1), longest), before?.wait ?? .zero)
        let refusals = (before?.refusals ?? 0) + 1
        let closing = remember(gate, for: atOnce, reason: reason, refusals: refusals, isShared: false)
        let query = PostgresQuery.refuse(
            gate,
            beganAgo: .now - began,
            asked: asked,
            longest: longest,
            reason: reason,
            by: configuration.worker,
            closes: true,
            hasSucceeded: hasSucceeded
        )
        do {
            // What a cancelled job has heard holds for others too.
            guard let row = try await uncancellable({ [pool] in try await pool.query(query) }).first else {
                return closing
            }
            return remember(
                gate,
                for: .seconds(try row.decode("wait", as: Double.self)),
                reason: try row.decode("standing", as: String?.self) ?? reason,
                refusals: try row.decode("refusals")
            )
        } catch {
            return closing
        }
    }

    /// Says that a whole peer or workspace has refused a call of one caller. It is closed for all once it has refused
    /// another's too: what one user sends, or says to be the user's own, may be the cause.
    ///
    /// - Parameters:
    ///   - caller: the gate of the token or account.
    ///   - asked: the time that the peer asks for; nil: a back-off.
    ///   - began: when the call was made.
    /// - Throws: `PostgresError`.
    public func refuse(
        _ gate: GateName,
        caller: GateName,
        asked: Duration?,
        began: ContinuousClock.Instant,
        reason: String
    ) async throws {
        FlowMetrics.throttled(gate)
        let query = PostgresQuery.refuse(
            gate,
            beganAgo: .now - began,
            asked: asked,
            longest: configuration.longestClosing(of: gate),
            reason: reason,
            by: configuration.worker,
            closes: true,
            caller: caller
        )
        guard let row = try await uncancellable({ [pool] in try await pool.query(query) }).first else { return }
        let wait = Duration.seconds(try row.decode("wait", as: Double.self))
        if wait > .zero {
            let standing = try row.decode("standing", as: String?.self) ?? reason
            remember(gate, for: wait, reason: standing, refusals: try row.decode("refusals"))
        }
    }

    /// Halves the pace of a gate whose calls take so long that somebody behind the peer must be sleeping.
    ///
    /// - Throws: `PostgresError`.
    public func slow(_ gate: GateName, began: ContinuousClock.Instant) async throws {
        guard !configuration.pace(of: gate).isOff else { return }
        _ = try await pool.query(
            .refuse(
                gate,
                beganAgo: .now - began,
                asked: nil,
                longest: .zero,
                reason: "",
                by: configuration.worker,
                closes: false
            )
        )
    }

    // MARK: Call times

    /// A call has passed the gates of a peer.
    public func callBegins(_ peer: Peer) {
        traffic.withLock { $0.begin(peer) }
    }

    /// It has ended, or was not made after all.
    public func callEnds(_ peer: Peer) {
        traffic.withLock { $0.end(peer) }
    }

    /// The time that a call takes which waits for no other, as the last ones show; nil before the first.
    public func callTime(of peer: Peer, behind gate: GateName) -> Duration? {
        traffic.withLock { $0.callTime(of: peer, behind: gate) }
    }

    /// Adds the time of a call that has succeeded and not yet ended.
    ///
    /// - Returns: whether it took seconds longer than is usual behind that gate.
    public func add(_ time: Duration, of peer: Peer, behind gate: GateName) -> Bool {
        traffic.withLock { $0.add(time, of: peer, behind: gate) }
    }
}
