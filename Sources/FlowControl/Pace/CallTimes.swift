/// How long the last calls of a peer took that succeeded.
public struct CallTimes: Sendable {
    private var times: [Duration] = []
    private var oldest = 0

    private static let kept = 64
    /// Fewer say nothing of what is usual.
    private static let fewest = 8
    /// How much longer than usual a call takes that somebody sleeps in.
    private static let excess = Duration.seconds(2)

    public init() {}

    /// The shortest; nil before the first call.
    public var least: Duration? { times.min() }

    /// Adds a call.
    ///
    /// - Returns: whether it took seconds longer than the median of those before.
    public mutating func add(_ time: Duration) -> Bool {
        let median = times.count < Self.fewest ? nil : times.sorted()[times.count / 2]
        if times.count < Self.kept {
            times.append(time)
        } else {
            times[oldest] = time
            oldest = (oldest + 1) % Self.kept
        }
        return median.map { time > $0 + Self.excess } ?? false
    }
}
