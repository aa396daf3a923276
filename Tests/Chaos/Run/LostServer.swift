import ChaosChecker

/// A server that was lost, with all that it knew.
struct LostServer: Sendable {
    var times: Servers.Failover
    var isSynchronous: Bool
    /// All changes that it knew of.
    var changes: [History.Change]
    /// When each lease ran out, as it knew.
    var leases: [Int: History.Instant]

    /// What of it is not among the changes that have survived.
    func failover(to survivors: [History.Change]) -> History.Failover {
        let known = Dictionary(survivors.map { ($0.number, $0.at) }, uniquingKeysWith: { $1 })
        var failover = History.Failover(
            lostAt: times.lostAt,
            promotedAt: times.promotedAt,
            isSynchronous: isSynchronous
        )
        failover.lostChanges = changes.filter { known[$0.number] != $0.at }
        failover.leases = leases
        return failover
    }
}
