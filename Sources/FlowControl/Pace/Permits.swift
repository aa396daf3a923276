/// Permits that were taken together, and when each may be used.
///
/// The schedule is the database's, as durations from the moment its answer came. A call that is made late puts off
/// those after it, so that permits which have lain about are not used in a burst that nobody has granted.
public struct Permits: Sendable {
    public private(set) var left: Int
    /// Between two permits; zero: as many calls as wanted.
    public let spacing: Duration
    /// Number of the schedule that they belong to.
    let schedule: Int64?

    private let receivedAt: ContinuousClock.Instant
    /// When the last of the permits of the next call is due, but for its own spacing.
    private var nextDue: ContinuousClock.Instant
    /// Until when calls may be made on it where there is no pace.
    private let expiry: ContinuousClock.Instant

    /// How late a permit may be used.
    static let longestDelay = Duration.seconds(10)

    /// - Parameter startsIn: of the first permit; negative for one that is part of a burst.
    init(
        count: Int,
        startsIn: Duration,
        spacing: Duration,
        schedule: Int64? = nil,
        receivedAt: ContinuousClock.Instant = .now
    ) {
        left = count
        self.schedule = schedule
        self.spacing = spacing
        self.receivedAt = receivedAt
        nextDue = receivedAt + startsIn
        expiry = receivedAt
    }

    /// Any number of calls, until the gates are to be looked at again.
    init(unlimitedUntil expiry: ContinuousClock.Instant) {
        left = 0
        spacing = .zero
        schedule = nil
        receivedAt = .now
        nextDue = receivedAt
        self.expiry = expiry
    }

    /// When a call that costs so many permits may be made; nil if these do not do for it, or have lain about for too
    /// long.
    public func due(cost: Int, now: ContinuousClock.Instant = .now) -> ContinuousClock.Instant? {
        guard spacing > .zero else { return now < expiry ? now : nil }
        guard left >= cost else { return nil }
        let due = max(nextDue + spacing * (cost - 1), receivedAt)
        return now - due > Self.longestDelay ? nil : due
    }

    /// Uses permits for a call that is made now.
    public mutating func use(cost: Int, now: ContinuousClock.Instant = .now) {
        guard spacing > .zero else { return }
        let due = max(nextDue + spacing * (cost - 1), receivedAt)
        left -= cost
        nextDue += spacing * cost + max(now - due, .zero)
    }
}

/// Permits that are given back.
public struct UnusedPermits: Sendable {
    public static let none = UnusedPermits()

    /// All of them.
    public let count: Int
    /// Those that are the last ones of their schedule.
    let last: Int
    let schedule: Int64?

    /// - Parameters:
    ///   - permits: of which some may be left.
    ///   - calledOff: permits of calls that were not made at their time.
    public init(_ permits: Permits? = nil, calledOff: Int = 0) {
        last = permits?.left ?? 0
        count = last + calledOff
        schedule = permits?.schedule
    }
}
