public import Logging
public import ServiceLifecycle

/// A connection of its own that listens on channels and comes back by itself when it is lost.
///
/// It ends by cancellation or graceful shutdown, never by an error. Through a pooler that gives each transaction another session
/// (PgBouncer in transaction mode) it does not listen: the LISTEN would stay in a session that is somebody else's next, and its
/// notifications would go there.
public struct PostgresListener: Service {
    /// What a listener has seen.
    public enum Event: Sendable {
        /// LISTEN is in force, for the first time or again: what was notified before may have been missed.
        case listening
        case notification(channel: String, payload: String)
        /// The connection could not be made or was lost; the listener tries again, with growing, jittered delays up to 5 s.
        case disconnected(PostgresError)
        /// The session is not the connection's own, so nothing is listened for. It is looked again every ten minutes.
        case pooled
    }

    /// How often a connection through a pooler is looked at again.
    private static let poolerInterval = Duration.seconds(600)

    private let configuration: PostgresConfiguration
    private let channels: [String]
    private let keepAliveInterval: Duration
    private let logger: Logger
    private let onEvent: @Sendable (Event) -> Void

    /// A listener on `channels`; it connects when it is run.
    ///
    /// After each `keepAliveInterval` without a message it asks the server for a sign of life, so that a peer that vanished
    /// without a word is noticed. `onEvent` is called as soon as an event is known, one after the other, and must not block.
    public init(
        configuration: PostgresConfiguration,
        channels: [String],
        keepAliveInterval: Duration = .seconds(30),
        logger: Logger,
        onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.configuration = configuration
        self.channels = channels
        self.keepAliveInterval = keepAliveInterval
        self.logger = logger
        self.onEvent = onEvent
    }

    /// Listens until graceful shutdown or cancellation.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await listenUntilCancelled()
        }
    }

    private func listenUntilCancelled() async {
        var backoff = ReconnectBackoff()
        while !Task.isCancelled {
            do {
                try await listen { backoff.reset() }
            } catch is CancellationError {
                return
            } catch {
                let failure = error as? PostgresError ?? PostgresError(.connectionLost, "\(error)", cause: error)
                let delay = backoff.nextDelay()
                logger.warning("LISTEN connection lost, reconnecting", metadata: ["error": "\(failure)"])
                onEvent(.disconnected(failure))
                // Ends early only by cancellation, which the loop's condition sees.
                try? await Task.sleep(for: delay)
            }
        }
    }

    /// Connects, listens and reports until the connection is lost; always ends by throwing.
    private func listen(onListening: () -> Void) async throws {
        let connection = try await PostgresConnection.connect(configuration, logger: logger)
        do {
            while try await !connection.hasOwnSession() {
                onListening()
                onEvent(.pooled)
                try await Task.sleep(for: Self.poolerInterval)
            }
            await connection.keepNotifications()
            for channel in channels {
                try await connection.execute("LISTEN \(identifier: channel)")
            }
            onListening()
            onEvent(.listening)
            while true {
                let count = try await connection.takeNotifications(patience: keepAliveInterval) { notification in
                    onEvent(.notification(channel: notification.channel, payload: notification.payload))
                }
                if count == 0 {
                    try await connection.execute(.ping(), timeout: .after(.seconds(10)))
                }
            }
        } catch {
            await connection.close()
            throw error
        }
    }
}
