internal import Foundation
internal import Logging
internal import Postgres
import Support

/// Notices when the database's clock is set forward, or another server's clock takes its place: every lease then seems
/// to have run out, also those of workers that live, which are to renew them before their jobs are taken for those of
/// dead ones.
final class DatabaseClock: Sendable {
    private struct State {
        /// The database's time less this machine's is at least and at most this, in seconds.
        var offset: ClosedRange<Double>?
        var steadyFrom = ContinuousClock.now
    }

    private let lease: Duration
    private let origin = ContinuousClock.now
    private let state = Mutex(State())

    /// - Parameter lease: how long leases last. A jump of less than a sixth of it ends none that is renewed in time.
    init(lease: Duration) {
        self.lease = lease
    }

    /// Whether leases that have run out by the database's clock have done so by any.
    func isSteady(_ pool: PostgresPool, _ logger: Logger) async throws -> Bool {
        let sent = ContinuousClock.now
        guard let row = try await pool.query(.databaseTime()).first else { return true }
        let time = Duration.seconds(try row.decode("now", as: Date.self).timeIntervalSinceReferenceDate)
        if let jump = observe(time, sent: sent, received: .now) {
            logger.warning(
                "The database's clock was set forward. Jobs of dead workers wait a little, so that workers that live renew their leases first.",
                metadata: ["by": "\(jump)", "wait": "\(lease / 2)"]
            )
        }
        return state.withLock { $0.steadyFrom <= .now }
    }

    /// Takes the database's time, since its epoch, that was read between two moments.
    ///
    /// - Returns: by how much it has been set forward since the last one; nil if it has not.
    func observe(
        _ time: Duration,
        sent: ContinuousClock.Instant,
        received: ContinuousClock.Instant
    ) -> Duration? {
        let least = (time - (received - origin)).seconds
        let most = (time - (sent - origin)).seconds
        return state.withLock { state in
            defer { state.offset = least...max(least, most) }
            guard let offset = state.offset, least - offset.upperBound > (lease / 6).seconds else { return nil }
            // Heartbeats come three to a lease.
            state.steadyFrom = received + lease / 2
            return .seconds((least - offset.upperBound).rounded())
        }
    }
}
