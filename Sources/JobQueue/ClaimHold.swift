import Support

/// Keeps a worker from claiming jobs for a while, as it has found out that it could only fail them; other workers may
/// do better.
public final class ClaimHold: Sendable {
    private let end = Mutex<ContinuousClock.Instant?>(nil)
    private let onHold = Mutex<@Sendable () -> Void>({})

    public init() {}

    /// Holds claims for so long from now on, in place of what was said before.
    public func hold(for duration: Duration) {
        let isNew = end.withLock { end in
            defer { end = .now + duration }
            return end.map { $0 <= .now } ?? true
        }
        if isNew { onHold.withLock { $0 }() }
    }

    /// - Parameter body: called whenever a hold begins.
    func whenHeld(_ body: @escaping @Sendable () -> Void) {
        onHold.withLock { $0 = body }
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
