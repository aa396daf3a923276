// `Mutex` and `Atomic` for the whole project: the standard library's, but that a build for ThreadSanitizer takes the
// mutex below, which then stands before the standard library's wherever this module is imported.
@_exported public import Synchronization

#if SYNC_THREAD_SANITIZER
    internal import Foundation

    /// A value behind a pthread mutex, with the interface of `Synchronization.Mutex`.
    ///
    /// ThreadSanitizer does not see the futex that the standard library's waits on, and would report each value behind
    /// one as a race.
    public struct Mutex<Value: ~Copyable>: ~Copyable, Sendable {
        // The value is reached with the lock held alone.
        nonisolated(unsafe) private let value: UnsafeMutablePointer<Value>
        // A mutex is made to be used by several threads at once.
        nonisolated(unsafe) private let lock: UnsafeMutablePointer<pthread_mutex_t>

        public init(_ initialValue: consuming sending Value) {
            value = .allocate(capacity: 1)
            value.initialize(to: initialValue)
            lock = .allocate(capacity: 1)
            Self.check(pthread_mutex_init(lock, nil))
        }

        deinit {
            Self.check(pthread_mutex_destroy(lock))
            lock.deallocate()
            value.deinitialize(count: 1)
            value.deallocate()
        }

        /// Runs `body` with the value, and nothing else meanwhile.
        public borrowing func withLock<Result: ~Copyable, Failure: Error>(
            _ body: (inout sending Value) throws(Failure) -> sending Result
        ) throws(Failure) -> sending Result {
            Self.check(pthread_mutex_lock(lock))
            defer { Self.check(pthread_mutex_unlock(lock)) }
            return try body(&value.pointee)
        }

        private static func check(_ status: Int32) {
            precondition(status == 0, "a mutex failed with status \(status)")
        }
    }
#endif
