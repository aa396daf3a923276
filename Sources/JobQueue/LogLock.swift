public import Postgres
import Support

/// Whether another session keeps all others from adding lines to the jobs' logs, as CREATE INDEX does for as long as it
/// takes: what the lines are about is recorded without them.
public final class LogLock: Sendable {
    private let pool: PostgresPool
    private let lockedUntil = Mutex<ContinuousClock.Instant?>(nil)

    /// After this a line is tried again.
    private static let pause = Duration.seconds(5)

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// Whether it was locked a moment ago.
    public var isKnown: Bool { lockedUntil.withLock { $0.map { $0 > .now } ?? false } }

    /// Finds out whether it is locked, without waiting for it.
    ///
    /// - Returns: false as well where that can't be found out.
    public func isLocked() async -> Bool {
        let isLocked = await isRefused()
        lockedUntil.withLock { $0 = isLocked ? .now + Self.pause : nil }
        return isLocked
    }

    private func isRefused() async -> Bool {
        do {
            try await pool.withTransaction { _ = try await $0.query(.lockLogForWriting()) }
            return false
        } catch {
            return (error as? PostgresError)?.sqlState == .lockNotAvailable
        }
    }
}

extension PostgresQuery {
    /// Takes the lock of the table that an INSERT of a line takes; fails with `lockNotAvailable` where that would wait.
    static func lockLogForWriting() -> PostgresQuery {
        "LOCK TABLE sync_logs IN ROW EXCLUSIVE MODE NOWAIT"
    }
}
