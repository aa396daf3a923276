internal import Postgres

/// What a worker hears for others on the connection on which it listens for jobs.
public struct WorkerNotices: Sendable {
    public let channel: String
    private let onNotice: @Sendable () -> Void
    private let onHearing: @Sendable (Bool) -> Void

    /// - Parameters:
    ///   - onNotice: something was notified on the channel, or may have been while nobody listened. Must not block.
    ///   - onHearing: whether notifications are heard, each time that is found out. Must not block.
    public init(
        channel: String,
        onNotice: @escaping @Sendable () -> Void,
        onHearing: @escaping @Sendable (Bool) -> Void
    ) {
        self.channel = channel
        self.onNotice = onNotice
        self.onHearing = onHearing
    }

    /// - Returns: whether it concerns nobody else.
    func take(_ event: PostgresListener.Event) -> Bool {
        switch event {
        case .listening:
            onHearing(true)
            onNotice()
        case .notification(channel: channel, isAddressed: _):
            onNotice()
            return true
        case .notification: break
        case .disconnected, .pooled: onHearing(false)
        }
        return false
    }
}
