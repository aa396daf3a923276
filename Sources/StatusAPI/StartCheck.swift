import Logging
import Postgres
import ServiceLifecycle

/// Says at the start if the database cannot be used: the program answers all the same, and tries again at every request. Only
/// tables too new for it end it, as no waiting helps there.
struct StartCheck: Service {
    let reader: DatabaseReader
    let logger: Logger

    func run() async throws {
        do {
            try await reader.probe()
            if let warning = try await reader.checkMigrations() { logger.warning("\(warning).") }
        } catch let error as PostgresError where error.code == .migrationUnknown {
            throw error
        } catch is CancellationError {
            return
        } catch {
            logger.warning(
                "The database cannot be used yet; until it can, what needs it is answered with 503. Check DATABASE_URL.",
                metadata: ["error": "\(error)"]
            )
        }
        // A service that returns ends its group.
        try? await gracefulShutdown()
    }
}
