import Support

/// The work did not end within its time.
package struct TimeLimitPassed: Error, CustomStringConvertible {
    package var description: String { "no answer came in time" }
}

/// Runs `body` and returns its result, or throws ``TimeLimitPassed`` after `limit` even if `body` is stuck in something
/// that hears no cancellation; it is cancelled then and ends in its own time.
package func within<R: Sendable>(
    _ limit: Duration,
    _ body: @escaping @Sendable @concurrent () async throws -> R
) async throws -> R {
    let race = Race<R>()
    let work = Task {
        do { race.finish(.success(try await body())) } catch { race.finish(.failure(error)) }
    }
    let timeout = DeadlineQueue.shared.schedule(after: limit) { race.finish(.failure(TimeLimitPassed())) }
    defer {
        DeadlineQueue.shared.cancel(timeout)
        work.cancel()
    }
    return try await withTaskCancellationHandler {
        try await race.outcome()
    } onCancel: {
        race.finish(.failure(CancellationError()))
    }
}

/// The first of several results.
private final class Race<R: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<R, any Error>)
        case finished(Result<R, any Error>)
        case over
    }

    private let state = Mutex(State.open)

    func finish(_ result: Result<R, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<R, any Error>? in
            switch state {
            case .open:
                state = .finished(result)
                return nil
            case .awaited(let waiter):
                state = .over
                return waiter
            case .finished, .over: return nil
            }
        }
        waiter?.resume(with: result)
    }

    func outcome() async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<R, any Error>? in
                guard case .finished(let result) = state else {
                    state = .awaited(continuation)
                    return nil
                }
                state = .over
                return result
            }
            if let result { continuation.resume(with: result) }
        }
    }
}
