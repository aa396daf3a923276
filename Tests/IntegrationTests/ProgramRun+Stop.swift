import Foundation
import TestSupport
import Testing

extension ProgramRun {
    /// Stops a worker as a supervisor does and expects it to end well.
    func stop(within limit: Duration = .seconds(10)) async throws {
        send(signal: SIGTERM)
        let exit = try await waitForExit(within: limit)
        #expect(exit == .code(0))
    }
}
