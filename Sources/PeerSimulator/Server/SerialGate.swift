import Support

/// Lets one call through at a time, in the order of arrival.
final class SerialGate: Sendable {
    private struct State {
        var isBusy = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// The right of way. It ends with `release()` or, where the answer is never written, with the pass itself.
    final class Pass: Sendable {
        private let gate: SerialGate
        private let isReleased = Mutex(false)

        fileprivate init(gate: SerialGate) { self.gate = gate }

        deinit { release() }

        func release() {
            let isFirst = isReleased.withLock { released in
                defer { released = true }
                return !released
            }
            if isFirst { gate.leave() }
        }
    }

    func enter() async -> Pass {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isBusy {
                    state.waiting.append(continuation)
                    return false
                }
                state.isBusy = true
                return true
            }
            if isFree { continuation.resume() }
        }
        return Pass(gate: self)
    }

    private func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isBusy = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
