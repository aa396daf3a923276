import ChaosChecker
import Testing

/// The checker on servers that were lost, by histories made by hand.
@Suite struct CheckerFailoverTests {
    /// A history at whose end a server is lost, with all that `isLost` says.
    private func failover(
        isSynchronous: Bool,
        losing isLost: (History.Change) -> Bool,
        of crafted: CraftedHistory = CraftedHistory()
    ) -> CraftedHistory {
        var crafted = crafted
        var failover = History.Failover(lostAt: 1000, promotedAt: 1100, isSynchronous: isSynchronous)
        failover.lostChanges = crafted.history.changes.filter(isLost)
        crafted.history.changes.removeAll(where: isLost)
        crafted.history.failovers = [failover]
        return crafted
    }

    @Test func anInsertThatWasAnsweredIsLostOnlyWithAServerThatWaitsForNoOther() {
        var crafted = CraftedHistory()
        crafted.insertJob("j2", at: 950)
        crafted.history.jobs.removeLast()
        crafted.history.acknowledgedJobs = ["j1", "j2"]
        let isLost = { (change: History.Change) in change.row.job == "j2" }
        #expect(failover(isSynchronous: true, losing: isLost, of: crafted).broken == [.jobNotFinal])
        #expect(failover(isSynchronous: false, losing: isLost, of: crafted).broken.isEmpty)
    }

    /// Of a create nothing is known any more; it is made again.
    @Test func aPageOfWhichNothingIsKnownIsSurplusOnlyWithSuchAServer() {
        var crafted = CraftedHistory()
        crafted.write("n1", page: "p2", key: "k2", by: "w1", lease: 1, at: 600)
        crafted.history.disturbances = [History.Disturbance(worker: nil, from: 1000, until: 1100)]
        let isLost = { (change: History.Change) in
            change.table != "sync_jobs" && change.at >= 300 && change.at < 600
        }
        let synchronous = failover(isSynchronous: true, losing: isLost, of: crafted)
        #expect(synchronous.broken == [.pageDoubled, .noIntent, .unknownNotRecorded])
        #expect(failover(isSynchronous: false, losing: isLost, of: crafted).broken.isEmpty)
    }

    @Test func aPageThatIsDoubledWithoutALossIsFoundAllTheSame() {
        var crafted = CraftedHistory(honoursKeys: false)
        crafted.write("n1", page: "p2", key: "k2", by: "w1", lease: 1, at: 600)
        #expect(failover(isSynchronous: false, losing: { _ in false }, of: crafted).broken.contains(.pageDoubled))
    }

    @Test func theTimeUntilAJobIsAtWorkAgainIsCounted() {
        var crafted = CraftedHistory()
        crafted.history.failovers = [History.Failover(lostAt: 100, promotedAt: 150, isSynchronous: true)]
        // Claimed at 200.
        #expect(crafted.figures.recoveries == [50])
    }
}
