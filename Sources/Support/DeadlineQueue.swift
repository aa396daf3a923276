/// All that the process waits for by time, on one thread: time-outs, back-offs and polls.
///
/// An entry that is cancelled goes at once. On Linux a cancelled `Task.sleep` keeps its timer and its task until the
/// time it was for, which adds up: most time-outs are long, and nearly all are cancelled.
package final class DeadlineQueue: Sendable {
    /// The one of the process.
    package static let shared = DeadlineQueue()

    private struct State {
        var heap = DeadlineHeap()
        /// What the thread waits for; nil while it does something else, and looks again before it waits.
        var alarm: Alarm?
        var isClosed = false
    }

    private enum Alarm {
        case at(ContinuousClock.Instant)
        case none
    }

    private let state = Monitor(State())

    /// How many deadlines are taken out of the heap at a time, so that the lock is held for microseconds.
    private static let batch = 256

    package init() {
        let state = state
        startThread(named: "deadlines") { Self.run(state) }
    }

    deinit {
        state.withLock { $0.isClosed = true }
        state.signal()
    }

    /// The number of deadlines that have neither come nor been cancelled.
    package var count: Int { state.withLock { $0.heap.count } }

    /// Has `action` run when the time has come. It runs on the queue's thread, so it must be short and must not block.
    package func schedule(at time: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void) -> Deadline {
        let deadline = Deadline(time: time)
        insert(deadline, .action(action))
        return deadline
    }

    /// Has `action` run after a time; see ``schedule(at:_:)``.
    @discardableResult
    package func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) -> Deadline {
        schedule(at: .now + delay, action)
    }

    /// Takes a deadline out. It may be too late for that: its action may run at this moment, or have run.
    package func cancel(_ deadline: Deadline) {
        let waiter = state.withLock { state in
            deadline.isCancelled = true
            state.heap.remove(deadline)
            defer { deadline.waiter = nil }
            return deadline.waiter
        }
        waiter?.resume(cancelled: true)
    }

    /// Waits for a time.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    package func sleep(for duration: Duration) async throws {
        try await sleep(until: .now + duration)
    }

    /// Waits until a time; see ``sleep(for:)``.
    package func sleep(until time: ContinuousClock.Instant) async throws {
        let deadline = Deadline(time: time)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { insert(deadline, .sleeper($0)) }
        } onCancel: {
            cancel(deadline)
        }
    }

    private func insert(_ deadline: Deadline, _ waiter: Deadline.Waiter) {
        let (isCancelled, isEarliest) = state.withLock { state in
            guard !deadline.isCancelled else { return (true, false) }
            deadline.waiter = waiter
            state.heap.insert(deadline)
            switch state.alarm {
            case nil: return (false, false)
            case .some(.none): return (false, true)
            case .at(let time): return (false, deadline.time < time)
            }
        }
        if isCancelled { waiter.resume(cancelled: true) }
        if isEarliest { state.signal() }
    }

    private static func run(_ state: Monitor<State>) {
        while let due = nextDue(state) {
            for waiter in due { waiter.resume(cancelled: false) }
        }
    }

    /// Waits for the next deadlines that have come; nil once the queue is gone.
    private static func nextDue(_ state: Monitor<State>) -> [Deadline.Waiter]? {
        state.wait { state in
            if state.isClosed { return .done(nil) }
            let now = ContinuousClock.now
            var due: [Deadline.Waiter] = []
            while let first = state.heap.first, first.time <= now, due.count < batch {
                state.heap.remove(first)
                if let waiter = first.waiter { due.append(waiter) }
                first.waiter = nil
            }
            guard due.isEmpty else {
                state.alarm = nil
                return .done(due)
            }
            let next = state.heap.first?.time
            state.alarm = next.map(Alarm.at) ?? Alarm.none
            return .wait(until: next)
        }
    }
}
