import JobQueue
import Logging
import Postgres
import Support
import SyncSchema

/// Waits for the database when the worker starts, and looks whether its tables are the ones this program knows.
struct DatabaseAtStart {
    let pool: PostgresPool
    let logger: Logger

    /// How long a database that is just starting is waited for.
    private static let patience = Duration.seconds(30)
    private static let pause = Duration.seconds(1)
    /// Between tries while the server has no connection left: growing, and spread, as many workers may start at once.
    private static let whileFull = Backoff(base: .seconds(2), cap: .seconds(15))
    private static let reminder = Duration.seconds(60)

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

    /// Does what needs the database, and again while that is away or busy, as long as a database that starts is waited for; while
    /// it has no connection left, for as long as it takes.
    ///
    /// - Throws: what `body` throws that waiting cannot help, or that lasts.
    func waiting<Result>(for body: () async throws -> Result) async throws -> Result {
        var deadline = ContinuousClock.now + Self.patience
        var isAwayTold = false
        var fullToldAt: ContinuousClock.Instant?
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
            } catch let error as PostgresError where mayPass(error) && ContinuousClock.now < deadline {
                if !isAwayTold {
                    let seconds = Self.patience.components.seconds
                    tell(Self.whatIsTried(error, for: seconds), error)
                    isAwayTold = true
                }
                try await DeadlineQueue.shared.sleep(for: Self.pause)
            }
        }
    }

    private static func whatIsTried(_ error: PostgresError, for seconds: Int64) -> Logger.Message {
        if error.isOfReadOnlySession {
            return "The database gives sessions that only read; trying for \(seconds) s. \(readOnlyAdvice)"
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
    /// Whether libpq found only sessions that take no writes.
    var isOfReadOnlySession: Bool {
        ["session is read-only", "server is in hot standby mode"].contains { description.contains($0) }
    }
}
