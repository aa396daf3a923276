internal import Foundation
internal import JobQueue
public import Logging
public import Postgres
public import ServiceLifecycle
import Support

/// A write of which nothing is on record though its time or the lease of its worker is over.
struct AbandonedWrite: Sendable {
    let userID: UserID
    let noteID: String
    let operation: Intent.Operation

    /// Logs writes whose outcome has just been found to be unknown, which the database has counted.
    static func tell(_ writes: [AbandonedWrite], _ logger: Logger) {
        for write in writes {
            logger.warning(
                "Outcome of a write is unknown: no answer was on record when its worker's lease or its own time was over.",
                metadata: [
                    "user": "\(write.userID)", "note": "\(write.noteID)", "operation": "\(write.operation.rawValue)",
                ]
            )
        }
    }
}

/// Finds the writes of all users that have no outcome on record in time: their workers have died, or are cut off from
/// the database; the job may have been cancelled or deleted meanwhile. Every worker does it.
public struct AbandonedWriteFinder: Service {
    private let states: SyncStateStore
    private let interval: Duration
    private let logger: Logger

    /// - Parameter interval: between two looks; half a lease finds the writes of a dead worker about when its jobs are
    ///   rescued.
    public init(pool: PostgresPool, interval: Duration, logger: Logger) {
        states = SyncStateStore(pool: pool)
        self.interval = interval
        self.logger = logger
    }

    public func run() async throws {
        await cancelWhenGracefulShutdown { await look() }
    }

    private func look() async {
        while !Task.isCancelled {
            do {
                AbandonedWrite.tell(try await states.markAbandoned(of: nil), logger)
            } catch {
                if Task.isCancelled { return }
                logger.info("Looking for writes without an outcome failed.", metadata: ["error": "\(error)"])
            }
            // Cancellation ends the loop.
            try? await DeadlineQueue.shared.sleep(for: interval * Double.random(in: 0.8...1.2))
        }
    }
}
