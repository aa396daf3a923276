import Logging
import Postgres
import SyncSchema

/// Waits for the database when the worker starts, and looks whether its tables are the ones this program knows.
struct DatabaseAtStart {
    let pool: PostgresPool
    let logger: Logger

    /// How long a database that is just starting is waited for.
    private static let patience = Duration.seconds(30)
    private static let pause = Duration.seconds(1)

    /// - Throws: `PostgresError`: the database can't be reached, refuses this user, or its migrations are not current.
    func check() async throws {
        try await waiting { try await Migrator(migrations: SyncSchema.migrations).checkCurrent(on: pool) }
    }

    /// A role without a worker's rights would claim nothing and only log that.
    ///
    /// - Throws: `MissingRights`; `PostgresError`.
    func checkRights() async throws {
        let missing: [String] = try await waiting {
            try await pool.query(.missingRights()).map { try $0.decode("what") }
        }
        guard missing.isEmpty else { throw MissingRights(what: missing) }
    }

    /// Does what needs the database, and again while that is away or busy, as long as a database that starts is waited for.
    ///
    /// - Throws: what `body` throws that waiting cannot help, or that lasts.
    func waiting<Result>(for body: () async throws -> Result) async throws -> Result {
        let deadline = ContinuousClock.now + Self.patience
        var isFirst = true
        while true {
            do {
                return try await body()
            } catch let error as PostgresError where mayPass(error) && ContinuousClock.now < deadline {
                if isFirst {
                    let seconds = Self.patience.components.seconds
                    logger.warning(
                        "The database can't be reached; trying for \(seconds) s. Start it, or set DATABASE_URL.",
                        metadata: ["error": "\(error)", "database": "\(pool.configuration.redactedDescription)"]
                    )
                    isFirst = false
                }
                try await Task.sleep(for: Self.pause)
            }
        }
    }

    /// Whether waiting can help: a server that starts, not one that refuses the user or has no such database.
    private func mayPass(_ error: PostgresError) -> Bool {
        guard error.isConnectionFailure || error.isRetryable else { return false }
        return !Self.refusals.contains { error.description.contains($0) }
    }

    /// What a server says that does not want this user. libpq gives no SQLSTATE for a connection that was refused; a server
    /// that speaks another language than English is waited for in vain.
    private static let refusals = [
        "authentication failed", "no password supplied", "no pg_hba.conf entry", "pg_hba.conf rejects",
        "does not exist",
        "is not permitted to log in", "permission denied for database",
    ]
}

/// Rights that the worker's role lacks.
struct MissingRights: Error, CustomStringConvertible {
    let what: [String]

    static let advice =
        "deploy/roles.sql gives a worker its rights: run it after syncctl migrate, or name another role in DATABASE_URL."

    var description: String { "The role of DATABASE_URL may not \(what.joined(separator: ", ")). \(Self.advice)" }
}
