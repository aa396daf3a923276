public import Logging
public import ServiceLifecycle
import Support

/// A connection of its own that listens on channels and comes back by itself when it is lost.
///
/// It ends by cancellation or graceful shutdown, never by an error. Through a pooler that gives each transaction
/// another session (PgBouncer in transaction mode) it does not listen: the LISTEN would stay in a session that is
/// somebody else's next, and its notifications would go there.
public struct PostgresListener: Service {
    /// What a listener has seen.
    public enum Event: Sendable {
        /// LISTEN is in force, for the first time or again: what was notified before may have been missed.
        case listening
        /// Notifications have arrived on a channel, one or many at once, and one of them was for this listener, or none
        /// was.
        case notification(channel: String, isAddressed: Bool)
        /// The connection could not be made, was lost, or notifications do not arrive on it any more; the listener
        /// tries again, with growing, jittered delays up to 5 s.
        case disconnected(PostgresError)
        /// The session is not the connection's own, so nothing is listened for. It is looked again every ten minutes.
        case pooled
    }

    /// The channel on which listeners hear themselves and each other.
    private static let hearingChannel = "postgres_listeners"
    /// How long a notification may take to come back.
    private static let hearingLimit = Duration.seconds(2)

    /// How often a connection through a pooler is looked at again.
    private static let poolerInterval = Duration.seconds(600)

    private let configuration: PostgresConfiguration
    private let channels: [String]
    private let filter: NotificationFilter
    private let hearingInterval: Duration
    private let logger: Logger
    private let onEvent: @Sendable (Event) -> Void

    /// How long more are left to gather after so many at once: they cost less together.
    private static let floodPause = Duration.milliseconds(20)
    private static let flood = 500

    /// A listener on `channels`; it connects when it is run.
    ///
    /// A notification is for it if its payload is empty or `addressee`; without an addressee all are.
    ///
    /// After each `hearingInterval` without a notification, a fifth more or less, it sends one that all listeners of
    /// the database hear, itself among them: so a peer that vanished without a word is noticed, and a LISTEN that is no
    /// longer in force. `onEvent` is called as soon as an event is known, one after the other, and must not block.
    public init(
        configuration: PostgresConfiguration,
        channels: [String],
        addressee: String? = nil,
        hearingInterval: Duration = .seconds(10),
        logger: Logger,
        onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.configuration = configuration
        self.channels = channels
        filter = NotificationFilter(channels: channels, addressee: addressee)
        self.hearingInterval = hearingInterval
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
        let warning = RecurringWarning("LISTEN connection lost, reconnecting")
        while !Task.isCancelled {
            do {
                try await listen { backoff.reset() }
            } catch is CancellationError {
                return
            } catch {
                let failure = error as? PostgresError ?? PostgresError(.connectionLost, "\(error)", cause: error)
                let delay = backoff.nextDelay()
                warning.log(logger, ["error": "\(failure)"])
                onEvent(.disconnected(failure))
                // Ends early only by cancellation, which the loop's condition sees.
                try? await DeadlineQueue.shared.sleep(for: delay)
            }
        }
    }

    /// Connects, listens and reports until the connection is lost; always ends by throwing.
    private func listen(onListening: () -> Void) async throws {
        var configuration = configuration
        // Whoever is deaf is to know it soon.
        configuration.cancelGrace = .zero
        let connection = try await PostgresConnection.connect(configuration, logger: logger)
        do {
            while try await !connection.hasOwnSession() {
                onListening()
                onEvent(.pooled)
                try await DeadlineQueue.shared.sleep(for: Self.poolerInterval)
            }
            await connection.keepNotifications()
            for channel in [Self.hearingChannel] + channels {
                try await connection.execute("LISTEN \(identifier: channel)")
            }
            onListening()
            onEvent(.listening)
            while true {
                let patience = hearingInterval * Double.random(in: 0.8...1.2)
                let heard = try await hear(connection, patience)
                if heard > Self.flood { try await DeadlineQueue.shared.sleep(for: Self.floodPause) }
                if heard > 0 { continue }
                try await connection.execute(
                    "NOTIFY \(identifier: Self.hearingChannel)",
                    timeout: .after(Self.hearingLimit)
                )
                guard try await hear(connection, Self.hearingLimit) > 0 else {
                    throw PostgresError(.connectionLost, "Notifications do not arrive on the connection that listens")
                }
            }
        } catch {
            await connection.close()
            throw error
        }
    }

    /// - Returns: how many notifications came within `patience`, those by which listeners hear themselves included.
    private func hear(_ connection: PostgresConnection, _ patience: Duration) async throws -> Int {
        try await connection.takeNotifications(filter, patience: patience) { heard in
            for (index, channel) in channels.enumerated() {
                let isAddressed = heard.addressed.contains(index)
                guard isAddressed || heard.forOthers.contains(index) else { continue }
                onEvent(.notification(channel: channel, isAddressed: isAddressed))
            }
        }
    }
}
