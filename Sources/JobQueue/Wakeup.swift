import Support

/// A signal that wakes the one task that waits for it; kept until then if none does.
///
/// Several signals before a wait count as one, as with a doorbell.
package final class Wakeup: Sendable {
    private struct State {
        var isPending = false
        var waiter: (id: UInt64, continuation: CheckedContinuation<Bool, Never>)?
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func signal() {
        let waiter = state.withLock { state in
            let waiter = state.waiter
            state.waiter = nil
            state.isPending = waiter == nil
            return waiter
        }
        waiter?.continuation.resume(returning: true)
    }

    /// Waits for a signal, at most so long; also ends when the task is cancelled.
    ///
    /// - Returns: whether there was a signal.
    @discardableResult
    package func wait(atMost limit: Duration) async -> Bool {
        let end = ContinuousClock.now + limit
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            let timeout = DeadlineQueue.shared.schedule(at: end) { self.give(up: id) }
            defer { DeadlineQueue.shared.cancel(timeout) }
            return await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.isPending {
                        state.isPending = false
                        return true
                    }
                    if Task.isCancelled { return false }
                    precondition(state.waiter == nil, "one task at a time waits for a Wakeup")
                    state.waiter = (id, continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
                // The time may have come before there was anybody to tell.
                if end <= .now { give(up: id) }
            }
        } onCancel: {
            give(up: id)
        }
    }

    private func give(up id: UInt64) {
        let waiter = state.withLock { state in
            guard state.waiter?.id == id else { return nil as CheckedContinuation<Bool, Never>? }
            defer { state.waiter = nil }
            return state.waiter?.continuation
        }
        waiter?.resume(returning: false)
    }
}
