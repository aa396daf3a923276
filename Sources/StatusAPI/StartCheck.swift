import Logging
import ServiceLifecycle

/// Says at the start if the database cannot be used: the program answers all the same, and tries again at every request.
struct StartCheck: Service {
    let reader: DatabaseReader
    let logger: Logger

    func run() async throws {
        do {
            try await reader.probe()
            try await reader.checkMigrations()
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
