import Foundation
import Logging
import ServiceLifecycle
import Support

/// Ends the process a moment after the grace period, whatever still runs: a database that has gone silent keeps a statement
/// waiting for half a minute, and the worker's last ones are no more than a farewell.
///
/// To be stopped first of all services, as its time runs from then.
struct ShutdownLimit: Service {
    /// From the wish to stop.
    let limit: Duration
    let logger: Logger

    /// What the worker takes after the grace period to record results, and some to say goodbye.
    static let afterGrace = Duration.seconds(4)

    func run() async throws {
        try? await gracefulShutdown()
        // It goes on after this service has ended, and ends with the process.
        DeadlineQueue.shared.schedule(after: limit) {
            logger.critical("The database does not answer; exiting without it. Running jobs will be rescued.")
            exit(1)
        }
    }
}
