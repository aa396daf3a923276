/// Exponential back-off with full jitter: a wait between zero and `min(cap, base · 2ⁿ)`.
///
/// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
public struct Backoff: Sendable, Equatable {
    public var base: Duration
    public var cap: Duration

    public init(base: Duration, cap: Duration) {
        self.base = base
        self.cap = cap
    }

    /// A random wait before try number `retry` (0 is the first retry), never shorter than `floor`.
    public func wait(retry: Int, atLeast floor: Duration = .zero) -> Duration {
        let jittered = ceiling(retry: retry) * Double.random(in: 0...1)
        return max(jittered, floor)
    }

    /// The longest wait before try number `retry`.
    public func ceiling(retry: Int) -> Duration {
        // 2^40 times any sensible base is past any sensible cap; more would overflow.
        min(cap, base * (1 << min(max(retry, 0), 40)))
    }
}
