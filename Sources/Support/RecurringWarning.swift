package import Logging
import Synchronization

/// A warning whose cause may last, such as a database that is away: logged when it comes, then at most every half
/// minute, with how often it has come meanwhile.
package final class RecurringWarning: Sendable {
    private struct State {
        var loggedAt: ContinuousClock.Instant?
        var unlogged = 0
    }

    private let message: String
    private let interval: Duration
    private let state = Mutex(State())

    package init(_ message: String, interval: Duration = .seconds(30)) {
        self.message = message
        self.interval = interval
    }

    /// Logs it, unless it was logged a moment ago.
    package func log(_ logger: Logger, _ metadata: Logger.Metadata) {
        let unlogged = state.withLock { state -> Int? in
            if let loggedAt = state.loggedAt, ContinuousClock.now < loggedAt + interval {
                state.unlogged += 1
                return nil
            }
            defer { state = State(loggedAt: .now) }
            return state.unlogged
        }
        guard let unlogged else { return }
        var metadata = metadata
        if unlogged > 0 { metadata["repeated"] = "\(unlogged)" }
        logger.warning("\(message)", metadata: metadata)
    }
}
