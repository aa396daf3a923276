import Support

/// When jobs that this worker queued for later are due, so that it need not poll for them.
final class DueTimes: Sendable {
    private let instants = Mutex<[ContinuousClock.Instant]>([])

    func add(_ instant: ContinuousClock.Instant) {
        instants.withLock { $0.append(instant) }
    }

    /// Forgets those that have passed.
    ///
    /// - Returns: whether there were any.
    func takeDue() -> Bool {
        let now = ContinuousClock.now
        return instants.withLock { instants in
            let count = instants.count
            instants.removeAll { $0 <= now }
            return instants.count < count
        }
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
