import JobQueue
import Logging
import Postgres
import Support
import SyncSchema

/// Waits for the database when the worker starts, and looks whether its tables are the ones this program knows.
struct DatabaseAtStart {
    /// Used for the start alone.
    let pool: PostgresPool
    private let logger: Logger

    /// How long a statement may take, and how long the server then has to answer a request to cancel it: a connection
    /// that goes silent is to cost a part of the start and not all of it.
    private static let statementLimit = Duration.seconds(4)
    private static let cancelGrace = Duration.seconds(1)
    /// How long a database that is just starting is waited for.
    private static let patience = Duration.seconds(30)
    private static let pause = Duration.seconds(1)
    /// Between tries while the server has no connection left: growing, and spread, as many workers may start at once.
    private static let whileFull = Backoff(base: .seconds(2), cap: .seconds(15))
    private static let reminder = Duration.seconds(60)

    init(_ database: PostgresConfiguration, logger: Logger) {
        var configuration = database
        configuration.queryTimeout = Self.statementLimit
        configuration.cancelGrace = Self.cancelGrace
        pool = PostgresPool(
            configuration: configuration,
            size: 1,
            maximumReconnectDelay: Self.pause,
            logger: logger
        )
        self.logger = logger
    }

    /// - Throws: `PostgresError`: the database can't be reached, refuses this user, or its migrations are not current.
    func check() async throws {
        let warning = try await waiting { try await Migrator(migrations: SyncSchema.migrations).checkCurrent(on: pool) }
        if let warning { logger.warning("\(warning).") }
    }

    /// A role without a worker's rights would claim nothing and only log that.
    ///
    /// - Throws: `MissingRights`; `PostgresError`.
    func checkRights() async throws {
        let missing = try await waiting { try await DatabaseRole.worker.missingRights(on: pool) }
        if let missing { throw missing }
    }

    /// Does what needs the database, and again while that is away or busy, as long as a database that starts is waited
    /// for; while it has no connection left, or a table is locked, for as long as it takes.
    ///
    /// - Throws: what `body` throws that waiting cannot help, or that lasts.
    func waiting<Result>(for body: () async throws -> Result) async throws -> Result {
        var deadline = ContinuousClock.now + Self.patience
        var isAwayTold = false
        var fullToldAt: ContinuousClock.Instant?
        var lockedToldAt: ContinuousClock.Instant?
        var refusals = 0
        while true {
            do {
                return try await body()
            } catch let error as PostgresError where error.sqlState == .tooManyConnections {
                if fullToldAt.map({ ContinuousClock.now - $0 > Self.reminder }) ?? true {
                    tell("The database has no connection left; waiting for one. See max_connections there.", error)
                    fullToldAt = .now
                }
                let wait = Self.whileFull.wait(retry: refusals, atLeast: .milliseconds(500))
                try await DeadlineQueue.shared.sleep(for: wait)
                refusals += 1
                deadline = .now + Self.patience
            } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
                if lockedToldAt.map({ ContinuousClock.now - $0 > Self.reminder }) ?? true {
                    tell(
                        "Another session has a table locked that a worker reads at its start; waiting for it. pg_locks has whose it is.",
                        error
                    )
                    lockedToldAt = .now
                }
                try await DeadlineQueue.shared.sleep(for: Self.pause)
                deadline = .now + Self.patience
            } catch let error as PostgresError where mayPass(error) && ContinuousClock.now < deadline {
                if !isAwayTold {
                    tell(whatIsTried(error, until: deadline), error)
                    isAwayTold = true
                }
                try await DeadlineQueue.shared.sleep(for: Self.pause)
            }
        }
    }

    private func whatIsTried(_ error: PostgresError, until deadline: ContinuousClock.Instant) -> Logger.Message {
        if error.isUnanswered {
            return
                "The database at \(pool.configuration.addresses) does not answer; waiting for it until \(ClockTime.after(deadline - .now))."
        }
        let seconds = Self.patience.components.seconds
        if error.isOfReadOnlySession {
            return "The database gives sessions that only read; trying for \(seconds) s. \(Self.readOnlyAdvice)"
        }
        guard error.isConnectionFailure else { return "The database refuses; trying for \(seconds) s." }
        return "The database can't be reached; trying for \(seconds) s. Start it, or set DATABASE_URL."
    }

    private func tell(_ message: Logger.Message, _ error: PostgresError) {
        logger.warning(
            message,
            metadata: ["error": "\(error)", "database": "\(pool.configuration.redactedDescription)"]
        )
    }

    /// A server that is a standby says so too, until it is promoted.
    static let readOnlyAdvice =
        "Either the role of DATABASE_URL only reads (default_transaction_read_only), as the sidecar's does, or the server is a standby: "
        + "name the worker's role or the primary."

    /// Whether waiting can help: a server that starts, not one that refuses the user or has no such database.
    private func mayPass(_ error: PostgresError) -> Bool {
        guard error.isConnectionFailure || error.isRetryable else { return false }
        if let state = error.sqlState, Self.refusals.contains(state) { return false }
        // libpq says this by itself, in the language of this program.
        return !error.message.contains("no password supplied")
    }

    /// How a server refuses a user, or says that there is no such database.
    private static let refusals: [SQLState] = [
        .invalidAuthorization, .invalidPassword, .invalidCatalogName, .insufficientPrivilege,
    ]
}

extension PostgresError {
    /// Whether nothing was heard of a statement or an attempt to connect in time. The latter libpq says in words alone.
    var isUnanswered: Bool {
        isSilence || code == .queryTimedOut || code == .connectionFailed && message.contains("timeout expired")
    }

    /// Whether libpq found only sessions that take no writes.
    var isOfReadOnlySession: Bool {
        ["session is read-only", "server is in hot standby mode"].contains { description.contains($0) }
    }
}
