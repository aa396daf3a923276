import Logging
import ServiceLifecycle

/// Says that the worker is ready: from within the group of services, so that a signal sent by whoever waited for this
/// line finds the program prepared to stop cleanly.
struct ReadyNotice: Service {
    let logger: Logger
    let metadata: Logger.Metadata

    func run() async throws {
        logger.notice("Ready.", metadata: metadata)
        try await gracefulShutdown()
    }
}
