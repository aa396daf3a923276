import Foundation
import Logging
import Support
import UnixSignals

/// Stopping while the worker waits for what it needs: nothing has been begun, so the process ends at once.
enum StopAtStart {
    /// Runs the start of the worker; a signal to stop ends the process with status 0 meanwhile.
    static func endingProcess<Result: Sendable>(
        _ logger: Logger,
        during start: () async throws -> Result
    ) async rethrows -> Result {
        let signals = await UnixSignalsSequence(trapping: StopSignals.all)
        let listener = Task {
            for await signal in signals {
                logger.notice("Stopped before it was ready; no job was begun.", metadata: ["signal": "\(signal)"])
                exit(0)
            }
        }
        defer { listener.cancel() }
        return try await start()
    }
}
