public import Logging
public import ServiceLifecycle
internal import Support

/// Forgets gates that are open and that nothing has passed for a day, once an hour. Every worker does it.
public struct GateSweeper: Service {
    private let flow: FlowControl
    private let logger: Logger

    private static let interval = Duration.seconds(3600)

    public init(flow: FlowControl, logger: Logger) {
        self.flow = flow
        self.logger = logger
    }

    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Cancellation ends the loop.
                try? await DeadlineQueue.shared.sleep(for: Self.interval * Double.random(in: 0.5...1))
                if Task.isCancelled { return }
                do {
                    try await flow.forgetUnusedGates()
                } catch {
                    logger.info("Unused gates are not forgotten now.", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
