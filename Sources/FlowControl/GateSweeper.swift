public import Logging
internal import Postgres
public import ServiceLifecycle
internal import Support

/// Forgets gates that are open and that nothing has passed for a day, once an hour; and makes jobs due, twice a minute,
/// that wait for longer than their gate says. Every worker does it.
public struct GateSweeper: Service {
    private let flow: FlowControl
    private let logger: Logger

    private static let interval = Duration.seconds(3600)
    private static let recallInterval = Duration.seconds(30)

    public init(flow: FlowControl, logger: Logger) {
        self.flow = flow
        self.logger = logger
    }

    private static var later: ContinuousClock.Instant { .now + interval * Double.random(in: 0.5...1) }

    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var nextForgetting = Self.later
            while !Task.isCancelled {
                // Cancellation ends the loop.
                try? await DeadlineQueue.shared.sleep(for: Self.recallInterval * Double.random(in: 0.5...1))
                if Task.isCancelled { return }
                do {
                    try await flow.recallJobs()
                    guard .now >= nextForgetting else { continue }
                    nextForgetting = Self.later
                    try await flow.forgetUnusedGates()
                } catch {
                    logger.info("Gates are not looked after now.", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}

extension FlowControl {
    /// Forgets gates that are open and no longer used.
    ///
    /// - Throws: `PostgresError`.
    func forgetUnusedGates() async throws {
        try await pool.execute(.forgetGates())
    }

    /// At most so many jobs are made due at a time.
    private static let mostRecalled = 1000

    /// Makes jobs due that wait for longer than their gates say.
    ///
    /// - Returns: how many.
    /// - Throws: `PostgresError`.
    @discardableResult
    func recallJobs() async throws -> Int {
        try await pool.query(.recallJobs(limit: Self.mostRecalled)).count
    }
}
