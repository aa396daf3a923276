import Support

/// When jobs that this worker queued for later are due, so that it need not poll for them.
final class DueTimes: Sendable {
    private struct Due {
        var at: ContinuousClock.Instant
        /// Whether others are to come first.
        var isLeft: Bool
    }

    private let times = Mutex<[Due]>([])

    /// - Parameter isLeft: whether another worker, if there is one, had better run the job.
    func add(_ instant: ContinuousClock.Instant, isLeft: Bool = false) {
        times.withLock { $0.append(Due(at: instant, isLeft: isLeft)) }
    }

    /// Forgets those that have passed.
    ///
    /// - Returns: whether there were any.
    func takeDue() -> Bool {
        let now = ContinuousClock.now
        return times.withLock { times in
            let count = times.count
            times.removeAll { $0.at <= now }
            return times.count < count
        }
    }

    /// Forgets those left to others that have passed.
    ///
    /// - Returns: whether there were any.
    func takeLeft() -> Bool {
        let now = ContinuousClock.now
        return times.withLock { times in
            let count = times.count
            times.removeAll { $0.isLeft && $0.at <= now }
            return times.count < count
        }
    }

    /// Time until the next one, at most `limit`; forgets this worker's own that have passed.
    func next(atMost limit: Duration) -> Duration {
        let now = ContinuousClock.now
        let next = times.withLock { times in
            times.removeAll { !$0.isLeft && $0.at <= now }
            return times.map(\.at).min()
        }
        return min(limit, max(next.map { $0 - now } ?? limit, .zero))
    }
}
