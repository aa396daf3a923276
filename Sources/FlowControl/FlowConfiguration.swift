/// Settings of flow control.
public struct FlowConfiguration: Sendable {
    /// The worker's name, for whoever asks who has closed a gate.
    public var worker = ""
    /// Requests of one Notion token.
    public var notionPace = PaceLimit(permitsPerSecond: 3, burst: 3)
    /// Calls for one Keep account.
    public var keepPace = PaceLimit(permitsPerSecond: 2, burst: 10)
    /// Longest time for which the gate of a token, account or workspace is closed.
    public var longestClosing = Duration.seconds(86_400)
    /// Longest time for which the gate of a whole peer is closed.
    public var longestPeerClosing = Duration.seconds(60)
    /// How far ahead permits are given away.
    public var horizon = Duration.seconds(60)
    /// How long what is known of the gates does where there is no pace, and so nothing else to ask the database for.
    public var refreshInterval = Duration.seconds(1)

    public init() {}

    /// Without a pace: for what measures or tests something else.
    public static var unpaced: FlowConfiguration {
        var configuration = FlowConfiguration()
        configuration.notionPace = .off
        configuration.keepPace = .off
        return configuration
    }

    /// The pace of a gate; off where it has none.
    func pace(of gate: GateName) -> PaceLimit {
        switch (gate.peer, gate.scope) {
        case (.notionWriter, .token): notionPace
        case (.keepExtractor, .account): keepPace
        default: .off
        }
    }

    /// The longest time for which a gate is closed, whatever a peer asks for.
    func longestClosing(of gate: GateName) -> Duration {
        gate.scope == .peer ? longestPeerClosing : longestClosing
    }
}
