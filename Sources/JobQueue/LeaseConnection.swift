internal import Logging
internal import Postgres
internal import Support

/// A connection for the leases alone, whose statements are to be answered soon, or it is replaced: nothing else that is
/// slow, or waits for a connection, delays a heartbeat.
///
/// What it learns serves the worker's other connections: when it went silent and a new one is answered, those that are
/// as old are doubted too.
final class LeaseConnection: Sendable {
    private let own: PostgresPool
    private let others: PostgresPool
    private let limit: Duration
    private let logger: Logger
    /// When a connection went silent, until a new one is answered.
    private let silence = Mutex<ContinuousClock.Instant?>(nil)
    private let wasSilent = Atomic<Bool>(false)

    /// How long statements on connections in doubt may wait for an answer, where new connections have one.
    private static let doubt = Duration.milliseconds(500)

    /// - Parameters:
    ///   - others: the worker's other connections. They serve in place of this one while the server has none left.
    ///   - limit: how long the server may take for an answer.
    ///   - connectTimeout: how long for a new connection.
    init(
        database: PostgresConfiguration,
        others: PostgresPool,
        limit: Duration,
        connectTimeout: Duration,
        logger: Logger
    ) {
        var configuration = database
        configuration.queryTimeout = limit
        configuration.cancelGrace = .zero
        configuration.connectTimeout = min(connectTimeout, database.connectTimeout)
        own = PostgresPool(
            configuration: configuration,
            size: 1,
            maximumAge: others.maximumAge,
            maximumReconnectDelay: .seconds(1),
            logger: logger
        )
        self.others = others
        self.limit = limit
        self.logger = logger
    }

    /// Runs a statement; on a new connection if this one has gone silent.
    ///
    /// - Throws: `PostgresError`; `CancellationError`.
    func query(_ query: PostgresQuery) async throws -> PostgresRows {
        do {
            return try await ask(query)
        } catch let error as PostgresError where error.isSilence {
            logger.warning(
                "The database has gone silent on a connection; opening a new one.",
                metadata: ["seconds": "\(limit.formattedSeconds)"]
            )
            return try await ask(query)
        } catch let error as PostgresError where error.sqlState == .tooManyConnections {
            return try await others.query(query, timeout: .after(limit))
        }
    }

    private func ask(_ query: PostgresQuery) async throws -> PostgresRows {
        do {
            let rows = try await own.query(query)
            if let since = silence.withLock({ $0.take() }) {
                others.distrustConnections(openedBefore: since, limit: Self.doubt)
            }
            return rows
        } catch let error as PostgresError where error.isSilence {
            silence.withLock { $0 = $0 ?? .now }
            wasSilent.store(true, ordering: .relaxed)
            others.discardIdleConnections()
            throw error
        }
    }

    /// Whether a connection has gone silent since this was last asked.
    func takeSilence() -> Bool { wasSilent.exchange(false, ordering: .relaxed) }

    /// How long nothing may be heard of a statement before the server is asked what it does for it.
    private static let unheard = Duration.seconds(1)

    /// Ends those of the worker's connections that the server does not hear, or that do not hear it.
    func endUnheard() async throws {
        try await others.endUnheard(after: Self.unheard) { try await query($0) }
    }

    /// Asks whether the server answers, if a statement of the worker waits for an answer.
    func checkIfWaitedFor() async throws {
        if others.statistics.inUse > 0 { try await checkAnswers() }
    }

    /// Asks whether the server answers, on a new connection if need be.
    ///
    /// - Throws: as ``query(_:)``.
    func checkAnswers() async throws { _ = try await query(.ping()) }

    func close() async {
        await own.shutdown()
    }
}

extension LeaseConnection {
    /// Says that another worker has this one's name: it lives, as it has sent a heartbeat since this one's first. The
    /// row of one that died a moment ago says nothing yet.
    func warnOfNamesakes(of configuration: JobWorkerConfiguration, _ logger: Logger) async throws {
        let rows = try await query(.namesakes(of: configuration.instance))
        guard !rows.isEmpty else { return }
        logger.warning(
            "Another worker that runs has the same name; lists and logs do not tell them apart. Set SYNC_WORKER_NAME.",
            metadata: ["worker": "\(configuration.name)", "others": "\(rows.count)"]
        )
    }
}
