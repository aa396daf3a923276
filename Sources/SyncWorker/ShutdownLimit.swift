import Foundation
import Logging
import ServiceLifecycle
import Support

/// Ends the process in time, whatever still runs: a database that has gone silent keeps a statement waiting for half a
/// minute, and the worker's last ones are no more than a farewell. A worker that has nothing under way ends within
/// seconds; one that has, a moment after the grace period.
///
/// To be stopped first of all services, as its time runs from then.
struct ShutdownLimit: Service {
    /// From the wish to stop.
    let limit: Duration
    /// Whether the worker has jobs whose end is not recorded, or is sending a message.
    let isAnythingUnderWay: @Sendable () -> Bool
    /// Whether the worker has deleted its row: the database answers, and what is still to be done need not be cut
    /// short.
    let isAnswered: @Sendable () -> Bool
    let logger: Logger

    /// What the worker takes after the grace period to record results, and some to say goodbye.
    static let afterGrace = Duration.seconds(4)
    /// What a worker that has nothing under way takes at most.
    private static let idleLimit = Duration.seconds(5)
    private static let interval = Duration.milliseconds(250)

    func run() async throws {
        try? await gracefulShutdown()
        // They go on after this service has ended, and end with the process.
        endIfIdle(after: min(Self.idleLimit, limit))
        DeadlineQueue.shared.schedule(after: limit) {
            if !isAnythingUnderWay() { exitIdle() }
            logger.critical(
                "The database does not answer, or not in time, what is still to be recorded; exiting without it. Running jobs will be rescued."
            )
            exit(1)
        }
    }

    private func endIfIdle(after time: Duration) {
        DeadlineQueue.shared.schedule(after: time) {
            if !isAnythingUnderWay(), !isAnswered() { exitIdle() }
            endIfIdle(after: Self.interval)
        }
    }

    private func exitIdle() -> Never {
        logger.notice(
            """
            The database does not answer; exiting without it. Nothing was under way; the worker's row in sync_workers stays for an \
            hour, and what a claim without an answer may have taken will be rescued.
            """
        )
        exit(0)
    }
}
