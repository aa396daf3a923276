import Logging
import ServiceLifecycle
import Support

/// Asks for the dependencies now and then though nobody looks, so that their "since" says when they went down or came
/// back, and not when somebody looked. Says in the log that the database is away, and that it is back.
struct HealthWatch: Service {
    let health: HealthMonitor
    let logger: Logger
    /// How exact "since" is.
    var interval = Duration.seconds(15)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // At the start the check says what is wrong.
            var wasUp = false
            var isAwayTold = false
            while !Task.isCancelled {
                let isUp = await health.states()[.database]?.isUp ?? false
                if wasUp, !isUp {
                    logger.warning("The database is away; until it is back, what needs it is answered with 503.")
                    isAwayTold = true
                } else if isUp, isAwayTold {
                    logger.notice("The database is back.")
                    isAwayTold = false
                }
                wasUp = isUp
                // Cancellation ends the loop.
                try? await DeadlineQueue.shared.sleep(for: interval)
            }
        }
    }
}
