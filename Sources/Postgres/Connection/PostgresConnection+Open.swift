import CLibPQ
import Support

extension PostgresConnection {
    /// Connects. Blocks the connection's own queue, and nothing else, until the server answers or the timeout passes.
    func open() throws {
        let (opened, choice) = try ConnectionAttempt(configuration, logger: logger).connect()
        socket = try SocketReadiness(socket: PQsocket(opened.pointer), queue: executor.queue) { [weak self] in
            self?.assumeIsolated { $0.socketBecameReady() }
        }
        handle = opened
        server = choice
        idleState.watch(PQsocket(opened.pointer))
        idleState.set(true)
    }

    /// The process number of the server process behind this connection, as in `pg_stat_activity.pid`.
    public var backendProcessID: Int32? {
        handle.map { PQbackendPID($0.pointer) }
    }

    /// Whether the connection is ready for the next user: idle, in no transaction and not known to be broken.
    ///
    /// Reads what the server has sent meanwhile, without a round trip: a connection that the server ended is found.
    nonisolated func isReusable() async -> Bool {
        if idleState.isSurelyReady { return true }
        return await takeInWhatCame()
    }

    private func takeInWhatCame() -> Bool {
        guard exchange == nil, let handle, let socket else { return false }
        // Each pass takes in what has arrived: a last message of the server and the end of the connection are two.
        for _ in 0..<8 where socket.isReadable {
            guard PQconsumeInput(handle.pointer) == 1 else { return false }
            _ = PQisBusy(handle.pointer)
        }
        return !socket.isReadable && !handle.isBad && PQtransactionStatus(handle.pointer) == PQTRANS_IDLE
    }
}

/// Runs `body` and gives its end, or throws `CancellationError` as soon as the caller's task is cancelled while `body`
/// goes on unattended.
func abandonable(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let ending = FirstEnding()
    try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            ending.wait(continuation)
            Task {
                do {
                    try await body()
                    ending.end(.success(()))
                } catch {
                    ending.end(.failure(error))
                }
            }
        }
    } onCancel: {
        ending.end(.failure(CancellationError()))
    }
}

/// The first of several endings, told to the one who waits.
private final class FirstEnding: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Void, any Error>)
        case ended(Result<Void, any Error>)
    }

    private let state = Mutex(State.open)

    func wait(_ continuation: CheckedContinuation<Void, any Error>) {
        let ended: Result<Void, any Error>? = state.withLock { state in
            if case .ended(let result) = state { return result }
            state = .awaited(continuation)
            return nil
        }
        if let ended {
            continuation.resume(with: ended)
        }
    }

    func end(_ result: Result<Void, any Error>) {
        let waiting: CheckedContinuation<Void, any Error>? = state.withLock { state in
            defer {
                if case .ended = state {} else { state = .ended(result) }
            }
            if case .awaited(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume(with: result)
    }
}
