import CLibPQ
import Dispatch
public import Logging
import Support

/// One connection to a PostgreSQL server, on a serial executor of its own.
///
/// It runs one statement at a time; a second one given meanwhile fails with code `connectionBusy`. Cancelling the
/// calling task asks the server to cancel the statement and then throws `CancellationError`, unless the statement was
/// already done: then its result is given. The connection stays usable after either.
public actor PostgresConnection {
    nonisolated let executor: DispatchQueueExecutor
    nonisolated let configuration: PostgresConfiguration
    nonisolated let logger: Logger
    nonisolated let idleState = IdleState()
    nonisolated let openedAt = ContinuousClock.now
    /// By what its maximum age is multiplied.
    nonisolated let ageSpread = Double.random(in: 0.8...1.2)

    /// nil before the connection is made and after it was closed.
    var handle: LibPQConnection?
    var socket: SocketReadiness?
    /// The server behind it, where the connection string names several.
    var server: ConnectionAttempt.Choice?
    /// The exchange under way, if there is one.
    var exchange: Exchange?
    var lastExchangeID: UInt64 = 0
    /// How long the server may take for an answer, while it is doubted that it hears this connection.
    var doubt: Duration?
    var statements = PreparedStatements()
    var keepsNotifications = false
    /// The alarm that is set.
    var alarm: Deadline?
    var readinessWaiter: CheckedContinuation<Void, Never>?

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    init(configuration: PostgresConfiguration, logger: Logger) {
        self.executor = DispatchQueueExecutor(label: "postgres.connection")
        self.configuration = configuration
        self.logger = logger
    }

    deinit {
        if let alarm { DeadlineQueue.shared.cancel(alarm) }
    }

    /// A new connection.
    ///
    /// Throws a ``PostgresError`` with code `connectionFailed` or `invalidConfiguration`. Takes at most the connect
    /// timeout for each host; a cancelled caller gets `CancellationError` at once, and the attempt is dropped when it
    /// ends.
    public static func connect(
        _ configuration: PostgresConfiguration,
        logger: Logger
    ) async throws -> PostgresConnection {
        let connection = PostgresConnection(configuration: configuration, logger: logger)
        try await abandonable { try await connection.open() }
        return connection
    }

    /// Runs a statement and gives its rows. Throws a ``PostgresError``, or `CancellationError` if the task is
    /// cancelled.
    public func query(_ query: PostgresQuery, timeout: QueryTimeout = .configured) async throws -> PostgresRows {
        guard let rows = try await batch([query], timeout: timeout).last else {
            throw PostgresError(.connectionLost, "The server answered a statement with nothing")
        }
        return rows
    }

    /// Runs a statement and gives the number of rows it inserted, updated, deleted or gave. Throws as
    /// ``query(_:timeout:)``.
    @discardableResult
    public func execute(_ query: PostgresQuery, timeout: QueryTimeout = .configured) async throws -> Int {
        try await self.query(query, timeout: timeout).affectedRows
    }

    /// Runs a whole script of several statements, as one transaction unless it says otherwise. It takes no values.
    ///
    /// For files that are part of the program, such as migrations, and never for text put together from values.
    public func runScript(_ sql: String, timeout: QueryTimeout = .configured) async throws {
        try Self.validate(sql: sql)
        let results = try await perform(timeout: timeout) { connection in
            PQsendQuery(connection, sql)
        } receive: { handle, socket in
            try await receiveScript(handle, socket)
        }
        recordChanges(results.map { (sql: sql, result: $0) })
    }

    /// Ends the connection. A statement under way fails with code `connectionLost`.
    public func close() {
        idleState.set(false)
        socket?.shutDown()
        socketBecameReady()
        // The exchange under way keeps the handle until it has noticed the end.
        if exchange == nil {
            socket = nil
        }
        handle = nil
        clearAlarm()
    }

    /// Ends the connection some time soon, for callers that cannot wait.
    nonisolated func closeSoon() {
        executor.queue.async { self.assumeIsolated { $0.close() } }
    }

    static func validate(sql: String) throws {
        guard !sql.holdsNUL else {
            throw PostgresError(.encodingFailed, "The text of a statement holds a NUL character")
        }
    }
}

/// How long a statement may take before it is cancelled.
public enum QueryTimeout: Sendable {
    /// As long as the connection's configuration says.
    case configured
    /// As long as it needs.
    case none
    /// As long as given.
    case after(Duration)
}
