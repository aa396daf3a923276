import Support

/// Keeps a worker from claiming jobs for a while, as it has found out that it could only fail them; other workers may
/// do better.
public final class ClaimHold: Sendable {
    private let end = Mutex<ContinuousClock.Instant?>(nil)

    public init() {}

    /// Holds claims for so long from now on, in place of what was said before.
    public func hold(for duration: Duration) {
        end.withLock { $0 = .now + duration }
    }

    /// Lets claims go on.
    public func release() {
        end.withLock { $0 = nil }
    }

    /// Whether claims are held now.
    public var isHeld: Bool { remaining != nil }

    /// How much longer; nil: claims are not held.
    var remaining: Duration? {
        end.withLock { $0.map { $0 - .now } }.flatMap { $0 > .zero ? $0 : nil }
    }
}
