import Logging
import Postgres
import SyncSchema

/// Says at the start if the database cannot be used: the program answers all the same, and tries again at every
/// request. Only tables too new for it end it, as no waiting helps there.
struct StartCheck {
    let reader: DatabaseReader
    let role: DatabaseRole
    let logger: Logger

    /// Takes a few seconds at most.
    ///
    /// - Returns: whether the database can be used; what is wrong with it has been said.
    /// - Throws: `PostgresError` with code `migrationUnknown`; `CancellationError`.
    func isDatabaseUsable() async throws -> Bool {
        do {
            try await reader.probe()
            if let warning = try await reader.checkMigrations() { logger.warning("\(warning).") }
            guard let missing = try await reader.missingRights(of: role) else { return true }
            logger.warning("\(missing) Until then, what needs more is answered with 503.")
        } catch let error as PostgresError where error.code == .migrationUnknown {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch let error as PostgresError where error.isOfMigrations {
            logger.warning(
                "The tables of the database are not those of this program; until they are, what needs them is answered with 503.",
                metadata: ["error": "\(error)"]
            )
        } catch {
            logger.warning(
                "The database cannot be used yet; until it can, what needs it is answered with 503. \(advice(error))",
                metadata: ["error": "\(error)", "database": "\(reader.pool.configuration.redactedDescription)"]
            )
        }
        return false
    }

    private func advice(_ error: any Error) -> String {
        guard let error = error as? PostgresError else { return "Check DATABASE_URL." }
        if error.sqlState == .insufficientPrivilege { return role.rightsAdvice }
        return role.advice(onRefusal: error) ?? "Check DATABASE_URL."
    }
}
