/// How long the last calls took, of one token or account, that succeeded.
public struct CallTimes: Sendable {
    /// In the order of the calls, from `oldest` on.
    private var times: [Duration] = []
    /// The same, the shortest first.
    private var ordered: [Duration] = []
    private var oldest = 0

    private static let kept = 64
    /// Fewer say nothing of what is usual.
    private static let fewest = 8
    /// How much longer than usual a call takes that somebody sleeps in.
    private static let excess = Duration.seconds(2)

    public init() {}

    /// What a quarter of them did not exceed: the time of a call that has waited for no other; nil before the first.
    public var usual: Duration? { ordered.isEmpty ? nil : ordered[ordered.count / 4] }

    /// Adds a call.
    ///
    /// - Returns: whether it took seconds longer than the median of those before.
    public mutating func add(_ time: Duration) -> Bool {
        let isLong = times.count >= Self.fewest && time > ordered[times.count / 2] + Self.excess
        if times.count < Self.kept {
            times.append(time)
        } else {
            ordered.remove(at: place(of: times[oldest]))
            times[oldest] = time
            oldest = (oldest + 1) % Self.kept
        }
        ordered.insert(time, at: place(of: time))
        return isLong
    }

    /// Where a time stands in the order, or would.
    private func place(of time: Duration) -> Int {
        var (low, high) = (0, ordered.count)
        while low < high {
            let middle = (low + high) / 2
            if ordered[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
