#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A value behind a lock, with a condition variable for the threads that wait for it to change.
///
/// For threads of one's own, and for locks that are held for microseconds: a task that waited here would hold up the
/// cooperative pool. The wait follows the monotonic clock, so a clock that is set does not stretch it.
package final class Monitor<Value>: Sendable {
    // Both stand at a fixed address for as long as this object lives, and are only given to the pthread functions.
    nonisolated(unsafe) private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    nonisolated(unsafe) private let condition: UnsafeMutablePointer<pthread_cond_t>
    // Only read and written while the mutex is locked.
    nonisolated(unsafe) private var value: Value

    /// What a waiting thread decides each time it has looked at the value.
    package enum Step<Result> {
        case done(Result)
        /// Look again after a signal, or at that time; nil for no bound.
        case wait(until: ContinuousClock.Instant?)
    }

    /// The longest wait without a look, so that the sum with the present time never overflows.
    private static var longestWait: Duration { .seconds(3600) }

    package init(_ value: sending Value) {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        self.value = value
        Self.check(pthread_mutex_init(mutex, nil))
        var attributes = pthread_condattr_t()
        Self.check(pthread_condattr_init(&attributes))
        #if !canImport(Darwin)
            Self.check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC))
        #endif
        Self.check(pthread_cond_init(condition, &attributes))
        Self.check(pthread_condattr_destroy(&attributes))
    }

    deinit {
        Self.check(pthread_cond_destroy(condition))
        Self.check(pthread_mutex_destroy(mutex))
        condition.deallocate()
        mutex.deallocate()
    }

    package func withLock<Result>(_ body: (inout sending Value) throws -> sending Result) rethrows -> sending Result {
        Self.check(pthread_mutex_lock(mutex))
        defer { Self.check(pthread_mutex_unlock(mutex)) }
        return try body(&value)
    }

    /// Wakes all threads that wait.
    package func signal() {
        Self.check(pthread_cond_broadcast(condition))
    }

    /// Looks at the value, and again after each signal or when the time has come, until `step` is done.
    package func wait<Result>(_ step: (inout sending Value) -> sending Step<Result>) -> sending Result {
        Self.check(pthread_mutex_lock(mutex))
        defer { Self.check(pthread_mutex_unlock(mutex)) }
        while true {
            switch step(&value) {
            case .done(let result): return result
            case .wait(let time): sleep(until: time)
            }
        }
    }

    private func sleep(until time: ContinuousClock.Instant?) {
        let remaining = time.map { min(max(.zero, ContinuousClock.now.duration(to: $0)), Self.longestWait) }
        let (seconds, attoseconds) = (remaining ?? Self.longestWait).components
        // Rounded up: a wait that ended a little early would be repeated at once.
        var limit = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000) + 1)
        #if canImport(Darwin)
            let code = pthread_cond_timedwait_relative_np(condition, mutex, &limit)
        #else
            var now = timespec()
            Self.check(clock_gettime(CLOCK_MONOTONIC, &now))
            let nanoseconds = now.tv_nsec + limit.tv_nsec
            limit = timespec(
                tv_sec: now.tv_sec + limit.tv_sec + nanoseconds / 1_000_000_000,
                tv_nsec: nanoseconds % 1_000_000_000
            )
            let code = pthread_cond_timedwait(condition, mutex, &limit)
        #endif
        if code != ETIMEDOUT { Self.check(code) }
    }

    private static func check(_ code: Int32) {
        precondition(code == 0, "a lock failed with code \(code)")
    }
}
