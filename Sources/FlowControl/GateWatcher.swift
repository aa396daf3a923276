internal import JobQueue
public import Logging
internal import Postgres
public import ServiceLifecycle
internal import Support

/// Looks at the gates that calls of this worker pass as soon as one has been closed: its jobs hold permits for some
/// seconds to come, and would hear of it only with the next ones they ask for. Without notifications, and while one is
/// closed, it looks each second while permits are held.
public struct GateWatcher: Service {
    /// On which a closing is notified.
    public static let channel = "sync_gates_closed"

    private let flow: FlowControl
    private let logger: Logger

    /// Between two looks, however much is notified: anybody may notify.
    static let leastInterval = Duration.milliseconds(200)
    /// What it has found is trusted for no longer than twice as much.
    private static let shortInterval = Duration.seconds(1)
    /// A connection may be lost for some seconds before that is known, and notifications are left out while the
    /// server's queue of them is filling up.
    private static let interval = Duration.seconds(5)

    public init(flow: FlowControl, logger: Logger) {
        self.flow = flow
        self.logger = logger
    }

    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var isAnyClosed = false
            while !Task.isCancelled {
                let isCalm = !isAnyClosed && flow.isHearing.withLock { $0 }
                await flow.isToLook.wait(atMost: isCalm ? Self.interval : Self.shortInterval)
                if Task.isCancelled { return }
                do {
                    isAnyClosed = try await flow.look()
                } catch {
                    logger.debug("Closed gates are not known now.", metadata: ["error": "\(error)"])
                }
                // Cancellation ends the loop.
                try? await DeadlineQueue.shared.sleep(for: Self.leastInterval)
            }
        }
    }
}

extension FlowControl {
    /// A gate may have been closed.
    public func hearOfClosing() { isToLook.signal() }

    /// Whether notifications of closings are heard.
    public func set(isHearing: Bool) {
        self.isHearing.withLock { $0 = isHearing }
        // From now on it is looked more often.
        if !isHearing { isToLook.signal() }
    }

    /// Keeps from now on to what has closed the gates that were passed lately.
    ///
    /// - Returns: whether one is closed.
    /// - Throws: `PostgresError`.
    func look() async throws -> Bool {
        let now = ContinuousClock.now
        let gates = passed.withLock { passed in
            passed = passed.filter { now - $0.value < configuration.permitLifetime }
            return Array(passed.keys)
        }
        guard !gates.isEmpty else { return false }
        let rows = try await pool.query(.closedGates(among: gates))
        for row in rows {
            let gate: GateName = try row.decode("gate")
            let wait = Duration.seconds(try row.decode("wait", as: Double.self))
            // A refusal that the database has not been told of yet may close it for longer, and so may its breaker.
            if let known = closing(of: [gate]), known.isBroken || known.wait > wait + .seconds(1) { continue }
            remember(
                gate,
                for: wait,
                reason: try row.decode("reason", as: String?.self) ?? "",
                refusals: try row.decode("throttles")
            )
        }
        return !rows.isEmpty
    }
}
