internal import Postgres
internal import Support

/// Whether this worker hears notifications. One that does not finds jobs by polling alone.
final class Hearing: Sendable {
    enum State: Sendable {
        /// Nothing is known yet.
        case unknown
        case listening
        /// The connection that listens could not be made, was lost, or does not hear itself; or the server's queue of
        /// notifications is so full that the triggers leave them out.
        case deaf
        /// Behind a pooler, where nothing is listened for.
        case pooled
    }

    private let current = Mutex(State.unknown)
    private let isQueueFilling = Atomic(false)

    /// How often a worker polls at least while it is deaf.
    private static let pollIntervalWhileDeaf = Duration.seconds(1)

    var state: State {
        let state = current.withLock { $0 }
        return state == .listening && isQueueFilling.load(ordering: .relaxed) ? .deaf : state
    }

    /// - Returns: whether that is new.
    func set(_ state: State) -> Bool {
        current.withLock { current in
            defer { current = state }
            return current != state
        }
    }

    /// Says whether the triggers leave notifications out.
    ///
    /// - Returns: whether that is new.
    func setQueueFilling(_ isFilling: Bool) -> Bool {
        isQueueFilling.exchange(isFilling, ordering: .relaxed) != isFilling
    }

    /// What the worker's row says of it: nil where nothing is listened for.
    var isListening: Bool? {
        switch state {
        case .listening: true
        case .deaf: false
        case .unknown, .pooled: nil
        }
    }

    /// How often the queue is polled, where `configured` is the time for workers that hear.
    func pollInterval(_ configured: Duration) -> Duration {
        switch state {
        case .listening, .pooled: configured
        case .deaf, .unknown: min(configured, Self.pollIntervalWhileDeaf)
        }
    }
}
