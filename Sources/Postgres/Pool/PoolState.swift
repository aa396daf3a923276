/// What a pool knows and decides. It does nothing itself: each event gives the actions to take.
///
/// While the database is away one attempt to connect is made at a time, with growing delays between them. A caller that
/// finds a delay running and no connection in use, whose return could serve it, fails at once with the last failure.
struct PoolState: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Waiter: Sendable {
        let id: UInt64
        let continuation: CheckedContinuation<PostgresConnection, any Error>
    }

    enum Action: Sendable {
        case resume(Waiter, Result<PostgresConnection, any Error>)
        case connect
        /// Tell the state the time again after a while.
        case wake(after: Duration)
        case close(PostgresConnection)
        /// Have the server answer on it soon.
        case distrust(PostgresConnection, limit: Duration)
        case finishShutdown(CheckedContinuation<Void, Never>)
        case reportOutage(any Error)
        case reportRecovery
    }

    let size: Int
    /// Before the first failure.
    private let reconnectBackoff: ReconnectBackoff
    /// Last returned, first leased: the others may rest.
    private(set) var idle: [PostgresConnection] = []
    private var leased: [ObjectIdentifier: PostgresConnection] = [:]
    private(set) var connecting = 0
    /// First come, first served. Never holds any while there are idle connections.
    private(set) var waiters: [Waiter] = []
    private(set) var isShutDown = false
    private var shutdownWaiters: [CheckedContinuation<Void, Never>] = []
    private var outage: Outage?
    private var lastWaiterID: UInt64 = 0

    /// The time since an attempt to connect failed until one succeeds.
    private struct Outage: Sendable {
        var failure: any Error
        var failures = 0
        var nextAttempt: Instant
        var backoff: ReconnectBackoff
    }

    var inUse: Int { leased.count }

    /// Attempts to connect that have failed since one succeeded; those made side by side are one.
    var failuresInARow: Int { outage?.failures ?? 0 }

    /// Connections in use on which no statement has ended for `time`.
    func inUse(for time: Duration) -> [PostgresConnection] { leased.values.filter { $0.idleState.silence > time } }

    init(size: Int, reconnectBackoff: ReconnectBackoff = ReconnectBackoff()) {
        self.size = size
        self.reconnectBackoff = reconnectBackoff
    }

    mutating func newWaiterID() -> UInt64 {
        lastWaiterID += 1
        return lastWaiterID
    }

    mutating func lease(_ waiter: Waiter, now: Instant) -> [Action] {
        guard !isShutDown else {
            return [.resume(waiter, .failure(PostgresError(.poolClosed, "The connection pool has been shut down")))]
        }
        if let connection = idle.popLast() {
            return [lend(connection, to: waiter)]
        }
        waiters.append(waiter)
        return replenish(now: now)
    }

    mutating func cancelWaiter(_ id: UInt64) -> [Action] {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return [] }
        return [.resume(waiters.remove(at: index), .failure(CancellationError()))] + finishIfDrained()
    }

    mutating func release(_ connection: PostgresConnection, isReusable: Bool, now: Instant) -> [Action] {
        leased[ObjectIdentifier(connection)] = nil
        guard isReusable else {
            return [.close(connection)] + replenish(now: now) + finishIfDrained()
        }
        return offer(connection) + finishIfDrained()
    }

    mutating func didConnect(_ connection: PostgresConnection, now: Instant) -> [Action] {
        connecting -= 1
        let report: [Action] = outage == nil ? [] : [.reportRecovery]
        outage = nil
        return report + offer(connection) + replenish(now: now) + finishIfDrained()
    }

    mutating func didFailToConnect(_ failure: any Error, now: Instant) -> [Action] {
        connecting -= 1
        let report: [Action] = outage == nil ? [.reportOutage(failure)] : []
        var current = outage ?? Outage(failure: failure, nextAttempt: now, backoff: reconnectBackoff)
        current.failure = failure
        // Attempts that were made side by side and failed together count as one.
        if current.nextAttempt <= now {
            current.nextAttempt = now + current.backoff.nextDelay()
            current.failures += 1
        }
        outage = current
        return report + replenish(now: now) + finishIfDrained()
    }

    /// Starts the connections that are needed and allowed, or fails those who would wait in vain.
    mutating func replenish(now: Instant) -> [Action] {
        let room = size - inUse - idle.count - connecting
        let wanted = min(waiters.count - connecting, room)
        guard wanted > 0 else { return [] }
        guard let outage else {
            connecting += wanted
            return Array(repeating: .connect, count: wanted)
        }
        guard connecting == 0 else { return [] }
        guard outage.nextAttempt > now else {
            connecting = 1
            return [.connect]
        }
        guard inUse == 0 else {
            return [.wake(after: now.duration(to: outage.nextAttempt))]
        }
        defer { waiters = [] }
        return waiters.map { .resume($0, .failure(outage.failure)) }
    }

    /// Closes the connections that nobody uses.
    mutating func discardIdle() -> [Action] {
        defer { idle = [] }
        return idle.map(Action.close)
    }

    /// Of the connections that were opened before `time` closes those that nobody uses, and bounds the silence of the
    /// others.
    mutating func distrust(openedBefore time: Instant, limit: Duration) -> [Action] {
        let resting = idle.filter { $0.openedAt < time }
        idle.removeAll { $0.openedAt < time }
        let used = leased.values.filter { $0.openedAt < time }
        return resting.map(Action.close) + used.map { .distrust($0, limit: limit) }
    }

    /// Refuses new leases; those who wait already are still served.
    mutating func shutDown() -> [Action] {
        isShutDown = true
        defer { idle = [] }
        return idle.map(Action.close)
    }

    mutating func awaitShutdown(_ continuation: CheckedContinuation<Void, Never>) -> [Action] {
        shutdownWaiters.append(continuation)
        return finishIfDrained()
    }

    private mutating func lend(_ connection: PostgresConnection, to waiter: Waiter) -> Action {
        leased[ObjectIdentifier(connection)] = connection
        return .resume(waiter, .success(connection))
    }

    private mutating func offer(_ connection: PostgresConnection) -> [Action] {
        if !waiters.isEmpty {
            return [lend(connection, to: waiters.removeFirst())]
        }
        guard !isShutDown else { return [.close(connection)] }
        idle.append(connection)
        return []
    }

    private mutating func finishIfDrained() -> [Action] {
        guard isShutDown, inUse == 0, connecting == 0, waiters.isEmpty else { return [] }
        defer { shutdownWaiters = [] }
        return shutdownWaiters.map(Action.finishShutdown)
    }
}
