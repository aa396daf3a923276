public import CurlHTTP

/// Sends a test message on a channel, to see what comes back.
public struct ChannelTrial: Sendable {
    /// What came back.
    public struct Answer: Sendable {
        public let isDelivered: Bool
        /// Status and the beginning of the body, or what went wrong; no secret.
        public let text: String
        /// Scheme and host it was sent to.
        public let address: String
    }

    private let channels: [any AlertChannel]
    private let configuration: NotificationConfiguration
    private let http: HTTPClientConfiguration

    public init(configuration: NotificationConfiguration, http: HTTPClientConfiguration) {
        channels = ChannelList.make(configuration.channels)
        self.configuration = configuration
        self.http = http
    }

    /// The channels there are, such as `slack` and `slack-2`.
    public var names: [String] { channels.map(\.name) }

    /// One try; nil if there is no channel of this name.
    public func send(to name: String) async -> Answer? {
        guard let channel = channels.first(where: { $0.name == name }) else { return nil }
        let sender = AlertSender(configuration: configuration, http: http)
        defer { sender.shutdown() }
        let outcome = await sender.send(.test(source: configuration.source), to: channel)
        return switch outcome {
        case .delivered(let text): Answer(isDelivered: true, text: text, address: channel.shownAddress)
        case .retry(let text, _), .refused(let text), .gone(let text):
            Answer(isDelivered: false, text: text, address: channel.shownAddress)
        }
    }
}
