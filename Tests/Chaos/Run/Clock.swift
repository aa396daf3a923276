import ChaosChecker
import Foundation

/// The machine's clock, as the history counts it. All processes of a run, and its PostgreSQL, read the same one.
enum Clock {
    static var now: History.Instant { History.Instant(Date().timeIntervalSince1970 * 1_000_000) }

    /// Waits; the attacks of a run have times, so this is no waiting for something to happen. Ends early when
    /// cancelled.
    static func pause(milliseconds: Int) async {
        try? await Task.sleep(for: .milliseconds(milliseconds))
    }
}
