public import Logging
public import ServiceLifecycle
import Support

/// A bounded set of connections, opened when they are needed and leased to one user at a time.
///
/// Callers beyond the bound wait in order. An idle connection that the server has ended is found when it is taken,
/// without a round trip, and replaced. While the database is away attempts to connect are made one at a time with
/// growing, jittered delays up to a bound; callers in between get the last `connectionFailed` error at once.
///
/// As a `Service` it stays until graceful shutdown and then ends when every connection has been given back: list it
/// before the services that use it. Without `run()` it works as well; then ``shutdown()`` ends it.
public final class PostgresPool: Service, Sendable {
    /// The settings of the connections.
    public let configuration: PostgresConfiguration
    /// How long a connection is used, within a fifth more or less.
    public let maximumAge: Duration?
    /// How long a connection rests before the server is asked whether it still hears it.
    private let trustedRest: Duration
    private let logger: Logger
    private let state: Mutex<PoolState>

    /// A pool of at most `size` connections; none is opened yet.
    ///
    /// - Parameters:
    ///   - maximumAge: how long a connection is used; nil for as long as it works. Each pool of many programs spreads
    ///     it by a
    ///     fifth, so that they do not all connect at once.
    ///   - maximumReconnectDelay: longest time between two attempts to connect while the database is away.
    ///   - trustedRest: how long a connection may have rested to be used at once. The server is asked first whether it
    ///     still hears
    ///     one that has rested longer: a router may have forgotten it.
    public init(
        configuration: PostgresConfiguration,
        size: Int,
        maximumAge: Duration? = nil,
        maximumReconnectDelay: Duration = .seconds(5),
        trustedRest: Duration = .seconds(10),
        logger: Logger
    ) {
        precondition(size > 0, "a pool needs room for a connection")
        self.configuration = configuration
        self.maximumAge = maximumAge
        self.trustedRest = trustedRest
        self.logger = logger
        self.state = Mutex(PoolState(size: size, reconnectBackoff: ReconnectBackoff(cap: maximumReconnectDelay)))
    }

    /// Waits for graceful shutdown, or cancellation, and then does ``shutdown()``.
    public func run() async throws {
        do {
            try await gracefulShutdown()
        } catch is CancellationError {
            logger.debug("The pool's task was cancelled; shutting the pool down")
        }
        await shutdown()
    }

    /// Refuses new users, and returns when those who have or wait for a connection are done and all are closed.
    public func shutdown() async {
        perform(state.withLock { $0.shutDown() })
        await withCheckedContinuation { continuation in
            perform(state.withLock { $0.awaitShutdown(continuation) })
        }
    }

    /// Leases a connection for the time of `body`, which runs on the caller's executor.
    ///
    /// Throws what `body` throws; `CancellationError` if the task is cancelled while it waits; a ``PostgresError`` with
    /// code `connectionFailed` if the database is away, or `poolClosed`. A connection left in a transaction is not used
    /// again.
    public func withConnection<R>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
        let connection = try await lease()
        do {
            let result = try await body(connection)
            await giveBack(connection)
            return result
        } catch {
            await giveBack(connection, after: error as? PostgresError)
            throw error
        }
    }

    /// Leases a connection and runs `body` in a transaction on it. Throws as ``withConnection(_:)`` and
    /// ``PostgresConnection/transaction(_:)``.
    public func withTransaction<R>(_ body: (PostgresConnection) async throws -> R) async throws -> R {
        try await withConnection { connection in
            try await connection.transaction(body)
        }
    }

    /// Runs one statement on any connection and gives its rows.
    public func query(_ query: PostgresQuery, timeout: QueryTimeout = .configured) async throws -> PostgresRows {
        try await withConnection { try await $0.query(query, timeout: timeout) }
    }

    /// Runs one statement on any connection and gives the number of rows it touched.
    @discardableResult
    public func execute(_ query: PostgresQuery, timeout: QueryTimeout = .configured) async throws -> Int {
        try await withConnection { try await $0.execute(query, timeout: timeout) }
    }

    /// Runs statements as one transaction, in one round trip, on any connection and gives the rows of each. See
    /// ``PostgresConnection/batch(_:timeout:)``.
    public func batch(_ queries: [PostgresQuery], timeout: QueryTimeout = .configured) async throws -> [PostgresRows] {
        try await withConnection { try await $0.batch(queries, timeout: timeout) }
    }

    /// Closes the idle connections: one of this pool has gone silent, and so may they have, after a failover for
    /// example. The next users get new ones.
    public func discardIdleConnections() {
        perform(state.withLock { $0.discardIdle() })
    }

    /// Doubts the connections that were opened before `time`, as one of their age went silent while new ones are
    /// answered: closes those that nobody uses, and ends those in use on which a statement waits for longer than
    /// `limit`. What such a statement did is unknown, as of any lost connection.
    public func distrustConnections(openedBefore time: ContinuousClock.Instant, limit: Duration) {
        perform(state.withLock { $0.distrust(openedBefore: time, limit: limit) })
    }

    /// Connections in use on which no statement has ended for `time`.
    func longLeased(_ time: Duration) -> [PostgresConnection] { state.withLock { $0.inUse(for: time) } }

    /// The present use of the pool.
    public var statistics: PostgresPoolStatistics {
        state.withLock { state in
            PostgresPoolStatistics(
                size: state.size,
                inUse: state.inUse,
                idle: state.idle.count,
                connecting: state.connecting,
                waiting: state.waiters.count
            )
        }
    }

    /// How long the server has to answer on a connection that has rested.
    private static let restLimit = Duration.seconds(2)

    private func lease() async throws -> PostgresConnection {
        while true {
            let connection = try await nextConnection()
            guard await isReusable(connection) else {
                perform(state.withLock { $0.release(connection, isReusable: false, now: .now) })
                continue
            }
            let hasRested = connection.idleState.silence > trustedRest
            guard hasRested, await !connection.isAnswered(within: Self.restLimit) else { return connection }
            perform(state.withLock { $0.release(connection, isReusable: false, now: .now) })
            discardIdleConnections()
        }
    }

    private func nextConnection() async throws -> PostgresConnection {
        let id = state.withLock { $0.newWaiterID() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let waiter = PoolState.Waiter(id: id, continuation: continuation)
                let actions: [PoolState.Action] = state.withLock { state in
                    // Within the lock, as a cancellation just before would look for the waiter in vain.
                    guard !Task.isCancelled else { return [.resume(waiter, .failure(CancellationError()))] }
                    return state.lease(waiter, now: .now)
                }
                perform(actions)
            }
        } onCancel: {
            perform(state.withLock { $0.cancelWaiter(id) })
        }
    }

    /// - Parameter error: what its user met. A server that takes no writes any more is a standby, or soon will be: new
    ///   connections may find another. One that went silent has most likely done so on the idle connections as well.
    private func giveBack(_ connection: PostgresConnection, after error: PostgresError? = nil) async {
        let isReadOnly = error?.sqlState == .readOnlySQLTransaction
        let isReusable = isReadOnly ? false : await isReusable(connection)
        perform(state.withLock { $0.release(connection, isReusable: isReusable, now: .now) })
        if isReadOnly || error?.code == .queryTimedOut || error?.code == .connectionLost { discardIdleConnections() }
    }

    private func isReusable(_ connection: PostgresConnection) async -> Bool {
        if let maximumAge, connection.openedAt + maximumAge * connection.ageSpread < .now { return false }
        return await connection.isReusable()
    }

    private func perform(_ actions: [PoolState.Action]) {
        for action in actions {
            switch action {
            case .resume(let waiter, let result): waiter.continuation.resume(with: result)
            case .connect: Task { await connect() }
            case .wake(let delay):
                DeadlineQueue.shared.schedule(after: delay) {
                    self.perform(self.state.withLock { $0.replenish(now: .now) })
                }
            case .close(let connection): connection.closeSoon()
            case .distrust(let connection, let limit): connection.distrust(limit: limit)
            case .finishShutdown(let continuation): continuation.resume()
            case .reportOutage(let error):
                logger.warning("The database cannot be reached, trying again", metadata: ["error": "\(error)"])
            case .reportRecovery: logger.info("The database can be reached again")
            }
        }
    }

    /// How long an attempt to connect may take, so that one which began while the network was silent does not outlast
    /// that for long; after so many that failed, one may take as long as the configuration says: the server may be
    /// slow.
    private static let quickConnect = (limit: Duration.seconds(2), attempts: 5)

    private func connect() async {
        var configuration = configuration
        if state.withLock({ $0.failuresInARow }) < Self.quickConnect.attempts {
            configuration.connectTimeout = min(configuration.connectTimeout, Self.quickConnect.limit)
        }
        do {
            let connection = try await PostgresConnection.connect(configuration, logger: logger)
            perform(state.withLock { $0.didConnect(connection, now: .now) })
        } catch {
            perform(state.withLock { $0.didFailToConnect(error, now: .now) })
        }
    }
}

/// The use of a pool at one moment.
public struct PostgresPoolStatistics: Sendable, Equatable {
    /// The bound on the number of connections.
    public let size: Int
    /// Connections that are leased.
    public let inUse: Int
    /// Connections that are open and free.
    public let idle: Int
    /// Connections that are being opened.
    public let connecting: Int
    /// Callers that wait for a connection.
    public let waiting: Int
}
