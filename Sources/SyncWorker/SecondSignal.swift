import Foundation
import Logging
import ServiceLifecycle
import Support
import UnixSignals

/// Ends the process at the second SIGTERM, SIGINT or SIGHUP, whatever still runs; the first is for the service group.
///
/// What comes with the first is no second one: some programs signal a process and its group, `timeout` among them.
struct SecondSignal: Service {
    let logger: Logger

    private static let interval = Duration.milliseconds(100)

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: StopSignals.all)
        await cancelWhenGracefulShutdown {
            var firstAt: ContinuousClock.Instant?
            for await _ in signals {
                let now = ContinuousClock.now
                let first = firstAt ?? now
                firstAt = first
                guard now - first > Self.interval else { continue }
                logger.critical("A second signal: exiting at once. Running jobs will be rescued.")
                exit(1)
            }
        }
    }
}
