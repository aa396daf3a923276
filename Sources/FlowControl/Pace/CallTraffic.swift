/// The calls of one worker: how many are under way, and how long they take.
///
/// A peer that serves one call at a time lets all others wait, so that most take longer than one alone would. What one
/// takes alone is the shortest time of all, or what is usual behind its gate while no other call of this worker is
/// under way: one token's may be slow by themselves.
struct CallTraffic: Sendable {
    private struct Behind {
        /// Of all calls.
        var all = CallTimes()
        /// Of those beside which none was under way.
        var alone = CallTimes()
        /// Calls since the last one that was slow.
        var sinceSlow = Int.max

        /// - Returns: whether this call and another shortly before it were slow: one alone may be that of a large note.
        mutating func isSlowAgain(_ time: Duration) -> Bool {
            guard all.add(time) else {
                if sinceSlow < .max { sinceSlow += 1 }
                return false
            }
            defer { sinceSlow = 0 }
            return sinceSlow < CallTraffic.slowWindow - 1
        }
    }

    /// Of so many calls two have to be slow.
    private static let slowWindow = 4

    private var underWay: [Peer: Int] = [:]
    /// When there were last two or more.
    private var crowdedAt: [Peer: ContinuousClock.Instant] = [:]
    private var times: [Peer: CallTimes] = [:]
    private var behind: [GateName: Behind] = [:]

    /// Gates whose call times are kept, some kilobytes each.
    private static let most = 1000

    mutating func begin(_ peer: Peer, now: ContinuousClock.Instant = .now) {
        underWay[peer, default: 0] += 1
        if underWay[peer, default: 0] > 1 { crowdedAt[peer] = now }
    }

    mutating func end(_ peer: Peer, now: ContinuousClock.Instant = .now) {
        if underWay[peer, default: 0] > 1 { crowdedAt[peer] = now }
        underWay[peer, default: 1] -= 1
    }

    func callTime(of peer: Peer, behind gate: GateName) -> Duration? {
        guard let least = times[peer]?.least else { return nil }
        return max(least, behind[gate]?.alone.usual ?? .zero)
    }

    mutating func add(
        _ time: Duration,
        of peer: Peer,
        behind gate: GateName,
        now: ContinuousClock.Instant = .now
    ) -> Bool {
        _ = times[peer, default: CallTimes()].add(time)
        if behind[gate] == nil, behind.count >= Self.most { behind = [:] }
        let isAlone = underWay[peer] == 1 && crowdedAt[peer].map { $0 < now - time } ?? true
        if isAlone { _ = behind[gate, default: Behind()].alone.add(time) }
        return behind[gate, default: Behind()].isSlowAgain(time)
    }
}
