import Support
import UnixSignals

/// Whether somebody has asked a command that works step by step to stop.
final class StopRequest: Sendable {
    private let isAsked = Mutex(false)

    /// To be asked between two steps.
    var hasCome: Bool { isAsked.withLock { $0 } }

    /// Does something that ends by itself soon after Ctrl-C or SIGTERM.
    static func noticed<Result: Sendable>(_ body: (StopRequest) async throws -> Result) async throws -> Result {
        let request = StopRequest()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in signals { request.isAsked.withLock { $0 = true } }
            }
            defer { group.cancelAll() }
            return try await body(request)
        }
    }
}
