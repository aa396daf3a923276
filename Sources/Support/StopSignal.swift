/// The wish that running jobs end soon and hand themselves back, because the worker stops.
public final class StopSignal: Sendable {
    private struct State {
        var isRequested = false
        var actions: [UInt64: @Sendable () -> Void] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Whether the job should begin nothing new.
    public var isRequested: Bool { state.withLock { $0.isRequested } }

    public func request() {
        let actions = state.withLock { state in
            state.isRequested = true
            defer { state.actions = [:] }
            return state.actions
        }
        for action in actions.values { action() }
    }

    /// Calls `action` when the stop is requested, at once if it has been.
    ///
    /// - Returns: what `forget` takes it back by.
    public func whenRequested(_ action: @escaping @Sendable () -> Void) -> UInt64 {
        let (id, isRequested) = state.withLock { state in
            state.nextID += 1
            if !state.isRequested { state.actions[state.nextID] = action }
            return (state.nextID, state.isRequested)
        }
        if isRequested { action() }
        return id
    }

    /// Takes an action back that has not been called.
    public func forget(_ id: UInt64) {
        state.withLock { _ = $0.actions.removeValue(forKey: id) }
    }

    /// Returns when the stop is requested, or when the task is cancelled.
    public func untilRequested() async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isRequested || Task.isCancelled { return true }
                    state.actions[id] = { continuation.resume() }
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.actions.removeValue(forKey: id) }?()
        }
    }
}
