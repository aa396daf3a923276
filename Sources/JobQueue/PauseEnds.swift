internal import Logging
internal import Postgres
internal import Support

/// When the next pause ends by itself, as claims read it: its jobs come back then, and the worker claims.
final class PauseEnds: Sendable {
    private let next = Mutex<ContinuousClock.Instant?>(nil)
    private let isEarlier = Wakeup()

    /// The least time between two ends: many that come one after the other are one.
    private static let interval = Duration.milliseconds(250)
    /// Workers do not all look at once.
    private static let spread = Duration.milliseconds(200)

    /// - Parameter seconds: by the database's clock; nil: no pause ends by itself.
    func set(in seconds: Double?) {
        let end = seconds.map { ContinuousClock.now + .seconds($0) }
        let isSooner = next.withLock { next in
            defer { next = end }
            guard let end else { return false }
            return next.map { end < $0 - Self.interval } ?? true
        }
        if isSooner { isEarlier.signal() }
    }

    /// Ends the pauses whose time is over, and signals `wake`.
    func run(_ pool: PostgresPool, wake: Wakeup, logger: Logger) async {
        while !Task.isCancelled {
            let time = next.withLock { $0 }.map { max($0 - .now, .zero) } ?? .seconds(3600)
            if await isEarlier.wait(atMost: time + Self.spread * Double.random(in: 0.1...1)) { continue }
            let isOver = next.withLock { next in
                guard let end = next, end <= .now else { return false }
                next = nil
                return true
            }
            guard isOver, !Task.isCancelled else { continue }
            do {
                try await Self.endAll(pool)
            } catch {
                logger.debug("The rescuer ends the pauses whose time is over.", metadata: ["error": "\(error)"])
            }
            wake.signal()
            // Cancellation ends the loop.
            try? await DeadlineQueue.shared.sleep(for: Self.interval)
        }
    }

    private static let batch = 1000

    /// Ends the pauses whose time is over; what somebody has locked is left for another time.
    static func endAll(_ pool: PostgresPool) async throws {
        while try await pool.query(.endPauses(limit: batch)).count == batch {}
    }
}
