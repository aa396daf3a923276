/// How often something that a notification asks for is done though nothing comes of it: anybody who may connect to the
/// database can send notifications, as many as they like.
///
/// A burst of `most` is free; beyond it there are `perSecond`.
struct WakeupBudget: Sendable {
    private var left: Double
    private var countedAt: ContinuousClock.Instant

    private static let most = 20.0
    private static let perSecond = 20.0

    init(now: ContinuousClock.Instant = .now) {
        left = Self.most
        countedAt = now
    }

    /// Counts one that nothing came of.
    ///
    /// - Returns: how long to wait before the next.
    mutating func spend(now: ContinuousClock.Instant = .now) -> Duration {
        left = min(left + (now - countedAt).seconds * Self.perSecond, Self.most) - 1
        countedAt = now
        return left >= 0 ? .zero : .seconds(-left / Self.perSecond)
    }
}
