internal import Foundation
internal import Support

/// Settings of the circuit breaker of a peer.
public struct BreakerConfiguration: Sendable, Equatable {
    /// Failed calls in a row, of two tokens or accounts at least, that open it; 0: it never opens.
    public var failures = 3
    /// Before the first probe.
    public var cooldown = Duration.seconds(2)
    /// Before a probe, however many have failed.
    public var longestCooldown = Duration.seconds(13)
    /// How long a probe may take; then another worker makes one.
    public var probeTime = Duration.seconds(18)
    /// How long a job whose call has failed waits to hear whether others' fail too, which tells an outage from its own
    /// fault.
    public var settling = Duration.seconds(4)
    /// For how long the calls of one worker have to fail, with no success of another's, to say as much as those of two:
    /// less than a job waits to hear of it.
    var persistence: Duration { settling * 0.5 }

    public init() {}

    public static var off: BreakerConfiguration {
        var configuration = BreakerConfiguration()
        configuration.failures = 0
        return configuration
    }

    public var isOff: Bool { failures == 0 }
}

/// Settings of flow control.
public struct FlowConfiguration: Sendable {
    /// The worker's name, for whoever asks who has closed a gate.
    public var worker = ""
    /// Tells this process from others of its name.
    public var process = UUID.random().uuidString
    /// Requests of one Notion token.
    public var notionPace = PaceLimit(permitsPerSecond: 3, burst: 3)
    /// Calls for one Keep account.
    public var keepPace = PaceLimit(permitsPerSecond: 2, burst: 10)
    /// Longest time for which the gate of a token, account or workspace is closed.
    public var longestClosing = Duration.seconds(86_400)
    public var breaker = BreakerConfiguration()
    /// How far ahead permits are given away.
    public var horizon = Duration.seconds(15)
    /// How long what is known of the gates does where there is no pace, and so nothing else to ask the database for.
    public var refreshInterval = Duration.seconds(1)
    /// How long after it was taken a permit may be used.
    var permitLifetime: Duration { horizon + Permits.longestDelay + .seconds(10) }

    public init() {}

    /// Without a pace and a breaker: for what measures or tests something else.
    public static var unpaced: FlowConfiguration {
        var configuration = FlowConfiguration()
        configuration.notionPace = .off
        configuration.keepPace = .off
        configuration.breaker = .off
        return configuration
    }

    /// The pace of a gate; off where it has none.
    public func pace(of gate: GateName) -> PaceLimit {
        switch (gate.peer, gate.scope) {
        case (.notionWriter, .token): notionPace
        case (.keepExtractor, .account): keepPace
        default: .off
        }
    }

    /// The longest time for which a gate is closed, whatever a peer asks for.
    func longestClosing(of gate: GateName) -> Duration {
        gate.scope == .peer ? breaker.longestCooldown : longestClosing
    }
}
