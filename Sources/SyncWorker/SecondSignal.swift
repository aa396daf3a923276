import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// Ends the process at the second SIGTERM, SIGINT or SIGHUP, whatever still runs; the first is for the service group.
struct SecondSignal: Service {
    let logger: Logger

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        await cancelWhenGracefulShutdown {
            var count = 0
            for await _ in signals {
                count += 1
                guard count > 1 else { continue }
                logger.critical("A second signal: exiting at once. Running jobs will be rescued.")
                exit(1)
            }
        }
    }
}
