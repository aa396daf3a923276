internal import Logging
internal import Postgres
import Support

/// Says in the log that the server's queue of notifications is filling up, before it is full.
///
/// The queue is one for all databases of the server, and is not emptied while any session that listens, of whatever
/// program, has a transaction open. A full one refuses every transaction that notifies; the triggers of the queue stop
/// notifying long before, and workers poll instead. Through `hearing` this worker knows.
struct NotificationQueueWatch: Sendable {
    let pool: PostgresPool
    let logger: Logger
    let hearing: Hearing
    /// The part of the queue from which on it is said.
    var warnedFrom = 0.1
    /// Between two looks, give or take a fifth.
    let interval: Duration
    /// Told that `hearing` has changed.
    let onChange: @Sendable () -> Void

    /// The part of the queue from which on `sync_queue_notify` does not notify.
    static let silentFrom = 0.5

    func run() async {
        var isTold = false
        while !Task.isCancelled {
            do {
                let usage = try await pool.notificationQueueUsage()
                if hearing.setQueueFilling(usage >= Self.silentFrom) { onChange() }
                tell(usage, &isTold)
            } catch {
                if Task.isCancelled { return }
                // Everything else that needs the database says so too.
                logger.debug("The queue of notifications could not be looked at.", metadata: ["error": "\(error)"])
            }
            // Cancellation ends the loop above.
            try? await DeadlineQueue.shared.sleep(for: interval * Double.random(in: 0.8...1.2))
        }
    }

    private func tell(_ usage: Double, _ isTold: inout Bool) {
        if usage >= warnedFrom, !isTold {
            logger.warning(
                """
                PostgreSQL's queue of notifications is filling up: a session that listens, of whatever program and database, keeps a \
                transaction open. End it: pg_stat_activity shows which has the oldest xact_start. From half full on jobs are found by \
                polling; when it is full, every transaction that notifies fails.
                """,
                metadata: ["percent": "\(Int(usage * 100))"]
            )
            isTold = true
        } else if usage < warnedFrom, isTold {
            logger.notice("PostgreSQL's queue of notifications is no longer filling up.")
            isTold = false
        }
    }
}
