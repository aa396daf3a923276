package import JobQueue
package import Postgres
import ServiceHealth
import SyncSchema

/// The way to the database: reads only, and never for longer than a client waits.
package struct DatabaseReader: Sendable {
    package let pool: PostgresPool

    /// Longest time of one answer's reading.
    private static let patience = Duration.milliseconds(2500)
    private static let probePatience = Duration.milliseconds(1400)

    package var jobs: JobClient { JobClient(pool: pool) }

    /// Reads what an answer needs.
    ///
    /// - Throws: `DatabaseAway`; `JobQueueError` for a row no program here has written.
    package func read<R: Sendable>(_ body: @escaping @Sendable @concurrent (PostgresPool) async throws -> R)
        async throws -> R
    {
        let pool = pool
        do {
            return try await within(Self.patience) { try await body(pool) }
        } catch let error as PostgresError {
            throw DatabaseAway(cause: error)
        } catch let error as TimeLimitPassed {
            // The connection that was asked has gone silent, and so may the others have.
            pool.discardIdleConnections()
            throw DatabaseAway(cause: error, isSlow: await isThere())
        }
    }

    /// Whether the database answers what costs it nothing.
    private func isThere() async -> Bool {
        do {
            try await probe()
            return true
        } catch {
            return false
        }
    }

    /// Asks for nothing but an answer.
    func probe() async throws {
        let pool = pool
        try await within(Self.probePatience) { _ = try await pool.query(.ping()) }
    }

    /// - Returns: a warning if they are newer, and this program can run with them.
    /// - Throws: `PostgresError` that says what to do if the tables are not those this program knows.
    @discardableResult
    func checkMigrations() async throws -> String? {
        let pool = pool
        return try await within(Self.probePatience) {
            try await Migrator(migrations: SyncSchema.migrations).checkCurrent(on: pool)
        }
    }

    /// - Returns: what the role of this program lacks; nil if it has its rights.
    func missingRights(of role: DatabaseRole) async throws -> MissingRights? {
        let pool = pool
        return try await within(Self.probePatience) { try await role.missingRights(on: pool) }
    }

    /// Whether anything is wrong, by the database alone.
    func isAnythingWrong() async throws -> Bool {
        let pool = pool
        return try await within(Self.probePatience) {
            Verdict(try await ServiceFacts(pool, .wrongs)).severity == .wrong
        }
    }

    /// How the workers are, whatever there is to do.
    func verdictOnWorkers() async throws -> Verdict {
        let pool = pool
        return try await within(Self.probePatience) { Verdict(try await ServiceFacts(pool, .workers)) }
    }
}

/// The database can't be asked, or does not answer in time.
package struct DatabaseAway: Error {
    package let cause: any Error
    /// Whether it is there, and took too long for this answer.
    package let isSlow: Bool
    /// Whether a change that was asked for may have been made, or may be undone by a failover.
    package let mayHaveTakenEffect: Bool

    package init(cause: any Error, isSlow: Bool = false, mayHaveTakenEffect: Bool = false) {
        self.cause = cause
        self.isSlow = isSlow || (cause as? PostgresError)?.sqlState == .queryCanceled
        self.mayHaveTakenEffect = mayHaveTakenEffect
    }

    /// The same for a change, of which not every failure says that nothing was done.
    package var ofChange: DatabaseAway {
        let isUnanswered = cause is TimeLimitPassed || (cause as? PostgresError)?.mayHaveTakenEffect == true
        return DatabaseAway(cause: cause, isSlow: isSlow, mayHaveTakenEffect: isUnanswered)
    }

    /// What is told to whoever asked.
    package var detail: String {
        if mayHaveTakenEffect {
            return
                "The database has not confirmed the change, which may have been made; look before it is asked for again"
        }
        return switch (cause as? PostgresError)?.sqlState {
        case .undefinedTable?, .undefinedColumn?:
            "The tables of the database are not those of this program; run `syncctl migrate`"
        case .lockNotAvailable?:
            "Another session of the database holds a lock on the row; try again"
        case .insufficientPrivilege?:
            "The database role of this program lacks a right; deploy/roles.sql says which role has it"
        case .diskFull?:
            "The disk of the database is full; make room there"
        case _ where isSlow:
            "The database answers slowly; try again later"
        case _? where (cause as? PostgresError)?.isConnectionFailure == false:
            "The database refuses; try again later"
        default:
            "The database cannot be reached or does not answer; try again later"
        }
    }
}
