import ChaosChecker
import Testing

/// The checker on what workers make of refused results, silent connections and lost answers, by histories made by hand.
@Suite struct CheckerWorkerTests {
    private static let second: History.Instant = 1_000_000

    /// A job whose lease, of 3 s, runs out at 3 s, and that is given to the queue again.
    private func rescued(isRenewed: Bool, crashes: Int = 1) -> CraftedHistory {
        var crafted = CraftedHistory()
        crafted.insertJob("j2", at: 1000)
        crafted.claim("j2", by: "w1", lease: 2, at: 1100)
        crafted.rescue("j2", of: "w1", lease: 2, by: "w2", at: 4 * Self.second)
        let last = crafted.history.changes.count - 1
        crafted.history.changes[last].old?.isRenewed = isRenewed
        crafted.history.changes[last].new?.crashes = crashes
        return crafted
    }

    private func disturbed(_ crafted: CraftedHistory, sparesNew: Bool) -> CraftedHistory {
        var crafted = crafted
        crafted.history.disturbances = [
            History.Disturbance(worker: "w1", from: Self.second, until: 4 * Self.second, sparesNew: sparesNew)
        ]
        return crafted
    }

    @Test func aLeaseIsLostOnlyByWhoIsCutOff() {
        let crafted = rescued(isRenewed: true)
        #expect(crafted.broken == [.leaseLost])
        #expect(disturbed(crafted, sparesNew: true).broken == [.leaseLost])
        #expect(disturbed(crafted, sparesNew: false).broken.isEmpty)
    }

    @Test func aLeaseThatIsGivenUpOrLockedIsNotLost() {
        var refused = rescued(isRenewed: true)
        refused.history.refusals = [History.Refusal(lease: 2, worker: "w1", at: 1200)]
        #expect(refused.broken.isEmpty)
        var locked = rescued(isRenewed: true)
        locked.history.openTransactions = [History.OpenTransaction(job: "j2", from: 1200, until: 3 * Self.second)]
        #expect(locked.broken.isEmpty)
    }

    @Test func aLivingWorkerThatNeverHeardOfItsClaimHasNotCrashed() {
        let crafted = rescued(isRenewed: false)
        #expect(crafted.broken == [.crashOfLiving])
        #expect(rescued(isRenewed: false, crashes: 0).broken.isEmpty)
        #expect(disturbed(crafted, sparesNew: true).broken.isEmpty)
    }

    @Test func aResultThatIsRefusedIsGivenUpSoon() {
        func tried(until last: History.Instant) -> CraftedHistory {
            var crafted = CraftedHistory()
            crafted.history.refusals = [1000, 2000, last].map { History.Refusal(lease: 1, worker: "w1", at: $0) }
            return crafted
        }
        #expect(tried(until: Self.second).broken.isEmpty)
        #expect(tried(until: 3 * Self.second).broken == [.refusedForEver])
        #expect(disturbed(tried(until: 3 * Self.second), sparesNew: true).broken.isEmpty)
    }

    @Test func aRefusalIsReadFromTheServersLog() {
        let refusal = History.Refusal("2026-01-01 00:00:00.000 UTC [1] ERROR:  chaos refuses 7 w1 123")
        #expect(refusal?.lease == 7 && refusal?.worker == "w1" && refusal?.at == 123)
        #expect(History.Refusal("LOG:  chaos refuses nothing") == nil)
    }

    /// The answer to the first record was lost, and the page has been replaced before the second.
    @Test func aPageThatIsRecordedOnceMoreIsSurplusByThen() {
        func history(page: String) -> CraftedHistory {
            var crafted = CraftedHistory()
            var surplus = CraftedHistory.state("n1", page: page)
            surplus.key = "k1"
            var failed = History.Row()
            failed.user = "ada"
            failed.note = "n1"
            failed.code = "superseded"
            crafted.change("sync_surplus_pages", "INSERT", new: surplus, by: "w1", at: 950, transaction: 77)
            crafted.change("sync_failed_notes", "INSERT", new: failed, by: "w1", at: 951, transaction: 77)
            return crafted
        }
        #expect(history(page: "p1").broken.isEmpty)
        #expect(history(page: "another").broken == [.writeWithoutLease])
    }

    /// Its request has been followed by another's, which holds the row by now.
    @Test func anOutcomeHeardLateIsNoLongerUnknownInTheRowOfTheNext() {
        func history(key: String) -> CraftedHistory {
            var crafted = CraftedHistory()
            let held = History.Held(job: "j1", lease: 9, worker: "w2")
            var first = CraftedHistory.intent("n1", key: "k9", lease: 7)
            crafted.change("sync_intents", "INSERT", new: first, by: "w1", at: 400, held: held)
            first.unknownCount = 1
            var next = first
            next.request = 8
            crafted.change("sync_intents", "UPDATE", old: first, new: next, by: "w2", at: 500, held: held)
            var after = next
            after.unknownCount = 0
            after.key = key
            crafted.change(
                "sync_unheard_requests",
                "DELETE",
                old: first,
                by: "w1",
                at: 600,
                held: held,
                transaction: 77
            )
            crafted.change(
                "sync_intents",
                "UPDATE",
                old: next,
                new: after,
                by: "w1",
                at: 600,
                held: held,
                transaction: 77
            )
            return crafted
        }
        let writes = { (crafted: CraftedHistory) in
            Checker(crafted.history).verdict().violations.filter { $0.what.hasPrefix("w1: UPDATE sync_intents") }
        }
        #expect(writes(history(key: "k9")).isEmpty)
        #expect(!writes(history(key: "another")).isEmpty)
    }

    @Test func aGateThatIsLeftClosedIsFound() {
        var crafted = CraftedHistory()
        crafted.history.gates = [History.GateRow(gate: "notion_writer/token/a")]
        #expect(crafted.broken.isEmpty)
        crafted.history.gates[0].closedFor = 3
        #expect(crafted.broken == [.gateLeftClosed])
        crafted.history.gates = [History.GateRow(gate: "notion_writer", isBroken: true)]
        #expect(crafted.broken == [.gateLeftClosed])
    }

    @Test func aRequestWithoutPermitsIsFound() {
        var crafted = CraftedHistory()
        #expect(!crafted.history.sends.isEmpty)
        crafted.history.arrangement.pace = 100
        let needed = crafted.history.sends.count * 2
        crafted.history.gates = [History.GateRow(gate: "notion_writer/token/a", permits: needed, ahead: 60)]
        #expect(crafted.broken.isEmpty)
        crafted.history.gates[0].permits -= 1
        #expect(crafted.broken == [.permitsWrong])
        // A server that crashes forgets its last moment.
        crafted.history.disturbances = [History.Disturbance(worker: nil, from: 400, until: 460)]
        #expect(crafted.broken.isEmpty)
        crafted.history.disturbances = []
        crafted.history.gates[0].permits = needed
        crafted.history.gates[0].ahead = 61
        #expect(crafted.broken == [.permitsWrong])
    }
}
