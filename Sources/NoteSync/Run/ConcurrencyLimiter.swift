internal import Support

/// Bound on what runs at once, or on what that takes together; who comes first goes first.
final class ConcurrencyLimiter: Sendable {
    private struct Waiter {
        let id: UInt64
        let amount: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var free: Int
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0

        /// Takes out those at the head for whom there is room.
        mutating func admit() -> [Waiter] {
            var admitted: [Waiter] = []
            while let first = waiters.first, first.amount <= free {
                free -= first.amount
                admitted.append(waiters.removeFirst())
            }
            return admitted
        }
    }

    private let limit: Int
    private let state: Mutex<State>

    init(limit: Int) {
        self.limit = limit
        state = Mutex(State(free: limit))
    }

    /// How many wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// Returns when there is room, to be given back by `release`.
    ///
    /// - Parameter amount: what is taken, ``share(of:)`` what is wanted.
    /// - Returns: false if cancelled while waiting; then there is nothing to give back.
    func acquire(_ amount: Int = 1) async -> Bool {
        if Task.isCancelled { return false }
        return if acquireAtOnce(amount) { true } else { await waitForRoom(amount) }
    }

    /// Takes what there is room for, if nobody waits for any.
    func acquireAtOnce(_ amount: Int) -> Bool {
        state.withLock { state in
            guard state.waiters.isEmpty, state.free >= amount else { return false }
            state.free -= amount
            return true
        }
    }

    /// What is wanted, or all that there is: what is larger than the limit runs alone.
    func share(of amount: Int) -> Int { min(amount, limit) }

    private func waitForRoom(_ amount: Int) async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if state.waiters.isEmpty, state.free >= amount {
                        state.free -= amount
                        return true
                    }
                    state.waiters.append(Waiter(id: id, amount: amount, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let (waiter, admitted) = state.withLock { state in
                let waiter = state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
                // Those behind it may want less.
                return (waiter, state.admit())
            }
            waiter?.continuation.resume(returning: false)
            for next in admitted { next.continuation.resume(returning: true) }
        }
    }

    func release(_ amount: Int = 1) {
        let admitted = state.withLock { state in
            state.free += amount
            return state.admit()
        }
        for next in admitted { next.continuation.resume(returning: true) }
    }
}
