public import JobQueue

/// What people are told of, where, and how hard it is tried.
public struct NotificationConfiguration: Sendable {
    /// Whether alerts are sent and conditions checked. Failed jobs are counted into alerts in any case.
    public var isEnabled: Bool
    public var channels: [ChannelConfiguration]
    /// What nobody wants to be told of.
    public var kindsOff: Set<AlertKind> = []
    /// Name of this installation in messages and keys.
    public var source = "sync-service"
    /// What the checks look for.
    public var rules = AlertRules()

    /// How long an alert waits for more of its kind before it is first told.
    public var groupWait = Duration.seconds(5)
    /// Least time between two messages on one alert; also how long no job must fail until failures are over.
    public var repeatWindow = Duration.seconds(3600)
    /// Messages begun in a minute on one channel, all workers together.
    public var channelLimit = 10
    /// Time between two checks of the conditions, all workers together.
    public var checkInterval = Duration.seconds(60)
    /// How often the tables are looked at when nothing wakes the service.
    public var pollInterval = Duration.seconds(5)

    /// Longest time of one try.
    public var timeout = Duration.seconds(10)
    /// Tries of a delivery before it has failed for good, at least one.
    public var maximumAttempts = 20
    /// Wait between two tries; a `Retry-After` may make it longer.
    public var backoff = Backoff(base: .seconds(2), cap: .seconds(600))
    /// How long alerts that are over are kept.
    public var retention = Duration.seconds(30 * 86_400)

    /// Hosts that may have a private address and may be spoken to by plain HTTP.
    public var allowedPrivateHosts: Set<String> = []

    public init(isEnabled: Bool, channels: [ChannelConfiguration]) {
        self.isEnabled = isEnabled
        self.channels = channels
    }

    /// A delivery is another worker's after so long without a result.
    var lease: Duration { timeout * 2 + .seconds(10) }
}

/// What the checks look for.
public struct AlertRules: Sendable {
    /// A peer whose health is asked for.
    public struct Peer: Sendable, Equatable {
        /// As in keys: `keep_extractor`.
        public var name: String
        /// Base URL.
        public var url: String
        /// How long it may take connections without answering: as long as its slowest call.
        public var silentAfter: Duration

        public init(name: String, url: String, silentAfter: Duration) {
            self.name = name
            self.url = url
            self.silentAfter = silentAfter
        }
    }

    /// Failed jobs in a row that make a user a failing one.
    public var userFailures = 3
    /// Share of a completed job's notes of which more must have failed.
    public var failingNotesShare = 0.5
    /// How long a user may go without a completed job; nil: for ever.
    public var userNotSyncedAfter: Duration?
    /// How long a job may be put off.
    public var jobSnoozedAfter = Duration.seconds(21_600)
    /// How long a peer may be away.
    public var peerDownAfter = Duration.seconds(300)
    public var peers: [Peer] = []
    /// Whether unknown creates wait for an operator unless told otherwise.
    public var holdsUnknownCreates = false
    /// Unknown outcomes of one note after which it is held.
    public var unknownLimit = 2

    public init() {}
}
