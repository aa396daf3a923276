import Support

/// When jobs that this worker queued for later are due, so that it need not poll for them.
final class DueTimes: Sendable {
    private let instants = Mutex<[ContinuousClock.Instant]>([])

    func add(_ instant: ContinuousClock.Instant) {
        instants.withLock { $0.append(instant) }
    }

    /// Time until the next one, at most `limit`; forgets those that have passed.
    func next(atMost limit: Duration) -> Duration {
        let now = ContinuousClock.now
        let next = instants.withLock { instants in
            instants.removeAll { $0 <= now }
            return instants.min()
        }
        return min(limit, next.map { $0 - now } ?? limit)
    }
}
