import ChaosChecker
import Testing

/// The checker on histories made by hand: what is well is let pass, and every violation is found.
@Suite struct CheckerTests {
    @Test func aSoundHistoryIsLetPass() {
        #expect(CraftedHistory().broken.isEmpty)
        #expect(CraftedHistory(honoursKeys: false).broken.isEmpty)
    }

    // MARK: Jobs

    @Test(arguments: ["queued", "running"])
    func aJobThatIsNotFinalIsFound(_ status: String) {
        var crafted = CraftedHistory()
        crafted.insertJob("j2", at: 1000, status: status)
        #expect(crafted.broken == [.jobNotFinal])
    }

    @Test func aJobThatIsGoneIsFoundUnlessSomebodyDeletedIt() {
        var crafted = CraftedHistory()
        crafted.insertJob("j2", at: 1000)
        crafted.history.jobs.removeLast()
        #expect(crafted.broken == [.jobNotFinal])
        crafted.change("sync_jobs", "DELETE", old: CraftedHistory.job("j2", "queued"), by: "test", at: 1100)
        #expect(crafted.broken.isEmpty)
    }

    @Test func aLastSyncThatFailedIsFound() {
        var crafted = CraftedHistory()
        crafted.history.jobs[0].status = "failed"
        #expect(crafted.broken == [.jobNotFinal])
    }

    @Test func aFinishedJobWithoutAnEndIsFound() {
        var crafted = CraftedHistory()
        crafted.history.jobs[0].isClosed = false
        #expect(crafted.broken == [.jobNotFinal])
    }

    @Test func aJobTakenWhileItRunsIsFound() {
        var crafted = CraftedHistory()
        crafted.insertJob("j2", at: 1000)
        crafted.claim("j2", by: "w1", lease: 2, at: 1100)
        crafted.change(
            "sync_jobs",
            "UPDATE",
            old: CraftedHistory.job("j2", "running", lease: 2, worker: "w1"),
            new: CraftedHistory.job("j2", "running", lease: 3, worker: "w2"),
            by: "w2",
            at: 1200
        )
        crafted.finish("j2", by: "w2", lease: 3, at: 1300, status: "completed")
        #expect(crafted.broken == [.jobRunTwice, .writeWithoutLease])
    }

    @Test func twoJobsOfOneUserAtOnceAreFound() {
        var crafted = CraftedHistory()
        for (job, lease) in [("j2", 2), ("j3", 3)] {
            crafted.insertJob(job, at: 1000)
            crafted.claim(job, by: "w\(lease)", lease: lease, at: 1000 + History.Instant(lease))
        }
        for (job, lease) in [("j2", 2), ("j3", 3)] {
            crafted.finish(job, by: "w\(lease)", lease: lease, at: 1100, status: "completed")
        }
        #expect(crafted.broken == [.userRunTwice])
    }

    @Test func runsThatFollowEachOtherAreLetPass() {
        var crafted = CraftedHistory()
        crafted.insertJob("j2", at: 1000)
        crafted.claim("j2", by: "w2", lease: 2, at: 1100)
        crafted.rescue("j2", of: "w2", lease: 2, by: "w3", at: CraftedHistory.expiry + 1)
        crafted.claim("j2", by: "w3", lease: 3, at: CraftedHistory.expiry + 2)
        crafted.finish("j2", by: "w3", lease: 3, at: CraftedHistory.expiry + 9, status: "completed")
        #expect(crafted.broken.isEmpty)
        #expect(crafted.figures.rescues == 1)
    }

    @Test func completionWithAWriteUnderWayIsFound() {
        var crafted = CraftedHistory()
        let held = History.Held(job: "j2", lease: 2, worker: "w1")
        crafted.insertJob("j2", at: 1000)
        crafted.claim("j2", by: "w1", lease: 2, at: 1100)
        let intent = CraftedHistory.intent("n1", key: "k2", lease: 2)
        crafted.change("sync_intents", "INSERT", new: intent, by: "w1", at: 1200, held: held)
        crafted.finish("j2", by: "w1", lease: 2, at: 1300, status: "completed")
        crafted.settleLater("n1")
        #expect(crafted.broken == [.completedTooEarly])
    }

    @Test func aCompletedJobThatHasNotCountedAllIsFound() {
        var crafted = CraftedHistory()
        crafted.history.jobs[0].total = 2
        #expect(crafted.broken == [.completedTooEarly])
    }

    // MARK: Leases

    @Test(arguments: ["sync_state", "sync_failed_notes", "sync_cursors", "sync_logs"])
    func aWriteWithoutALeaseIsFound(_ table: String) {
        var crafted = CraftedHistory()
        let held = History.Held(job: "j1", lease: 2, worker: "w2")
        crafted.change(table, "UPDATE", new: CraftedHistory.state("n1", page: "p1"), by: "w1", at: 1000, held: held)
        #expect(crafted.broken == [.writeWithoutLease])
    }

    /// A run of another worker has sent a later request for the note, and has had to withdraw it.
    @Test(arguments: [true, false]) func aLateOutcomeOfOnesOwnRequestIsLetPass(_ isOwn: Bool) {
        var crafted = CraftedHistory()
        let other = History.Held(job: "j2", lease: 2, worker: "w2")
        crafted.insertJob("j2", at: 1000)
        crafted.claim("j2", by: "w2", lease: 2, at: 1100)
        var unknown = CraftedHistory.intent("n1", key: "k2", lease: 1)
        unknown.request = 11
        crafted.change(
            "sync_intents",
            "INSERT",
            new: unknown,
            by: "w1",
            at: 350,
            held: History.Held(job: "j1", lease: 1, worker: "w1")
        )
        unknown.unknownAt = 1150
        unknown.unknownCount = 1
        crafted.change("sync_intents", "UPDATE", old: unknown, new: unknown, by: "w2", at: 1150, held: other)
        var later = unknown
        (later.request, later.lease, later.unknownAt) = (12, 2, nil)
        crafted.change("sync_intents", "UPDATE", old: unknown, new: later, by: "w2", at: 1160, held: other)
        unknown.lease = 2
        crafted.change("sync_intents", "UPDATE", old: later, new: unknown, by: "w2", at: 1170, held: other)
        var asked = CraftedHistory.state("n1", page: "p1")
        asked.code = isOwn ? "superseded" : "rejected"
        let by = isOwn ? "w1" : "w3"
        crafted.change("sync_intents", "DELETE", old: unknown, by: by, at: 1200, held: other, transaction: 900)
        crafted.change("sync_failed_notes", "INSERT", new: asked, by: by, at: 1200, held: other, transaction: 900)
        crafted.finish("j2", by: "w2", lease: 2, at: 1300, status: "completed")
        #expect(crafted.broken.contains(.writeWithoutLease) != isOwn)
    }

    /// The answer to the commit of an outcome was lost.
    @Test(arguments: [true, false]) func anOutcomeRecordedTwiceIsLetPassIfItChangesNothing(_ isSame: Bool) {
        var crafted = CraftedHistory()
        var open = CraftedHistory.intent("n1", key: "k2", lease: 1)
        open.request = 11
        let held = History.Held(job: "j1", lease: 1, worker: "w1")
        crafted.change("sync_intents", "INSERT", new: open, by: "w1", at: 350, held: held)
        crafted.change("sync_intents", "DELETE", old: open, by: "w1", at: 1000, transaction: 900)
        var state = CraftedHistory.state("n1", page: "p1")
        state.hash = "new"
        var recorded = state
        recorded.hash = isSame ? "new" : "old"
        crafted.change("sync_state", "UPDATE", old: state, new: recorded, by: "w1", at: 1010, transaction: 901)
        crafted.change(
            "sync_logs",
            "INSERT",
            new: CraftedHistory.state("n1", page: "p1"),
            by: "w1",
            at: 1010,
            transaction: 901
        )
        #expect(crafted.broken.contains(.writeWithoutLease) != isSame)
    }

    @Test func aWriteAfterTheEndIsFound() {
        var crafted = CraftedHistory()
        crafted.change("sync_state", "UPDATE", new: CraftedHistory.state("n1", page: "p1"), by: "w1", at: 1000)
        #expect(crafted.broken == [.writeWithoutLease])
    }

    @Test func theLogLineOfTheEndIsLetPass() {
        var crafted = CraftedHistory()
        let ending = crafted.history.changes.last?.transaction
        var line = History.Row()
        line.job = "j1"
        crafted.change("sync_logs", "INSERT", new: line, by: "w1", at: 900, transaction: ending)
        #expect(crafted.broken.isEmpty)
        crafted.change("sync_logs", "INSERT", new: line, by: "w1", at: 901)
        #expect(crafted.broken == [.writeWithoutLease])
    }

    @Test func anIntentForAnEarlierRunOfTheSameWorkerIsFound() {
        var crafted = CraftedHistory()
        let held = History.Held(job: "j1", lease: 2, worker: "w1")
        let stale = CraftedHistory.intent("n1", key: "k2", lease: 1)
        crafted.change("sync_intents", "INSERT", new: stale, by: "w1", at: 1000, held: held)
        crafted.settleLater("n1")
        #expect(crafted.broken == [.writeWithoutLease])
    }

    @Test func aRescueBeforeTheLeaseHasRunOutIsFound() {
        var crafted = CraftedHistory()
        crafted.insertJob("j2", at: 1000)
        crafted.claim("j2", by: "w2", lease: 2, at: 1100)
        crafted.rescue("j2", of: "w2", lease: 2, by: "w3", at: CraftedHistory.expiry - 1)
        #expect(crafted.broken == [.writeWithoutLease])
    }

    @Test func aRequestOutsideOfARunIsFoundUnlessAStopCameInBetween() {
        var crafted = CraftedHistory()
        crafted.history.sends.append(History.Send(worker: "w1", user: "ada", at: 5_000_000))
        #expect(crafted.broken == [.sendWithoutLease])
        crafted.history.continuations = [History.Continuation(worker: "w1", at: 4_999_000)]
        #expect(crafted.broken.isEmpty)
        crafted.history.sends.append(History.Send(worker: "w1", user: "ada", at: 5_000_001))
        #expect(crafted.broken == [.sendWithoutLease])
    }

    // MARK: Processes and secrets

    @Test func aWorkerThatEndsByItselfIsFound() {
        var crafted = CraftedHistory()
        crafted.history.exits = [History.Exit(worker: "w1", how: "code 0", wasAsked: true)]
        #expect(crafted.broken.isEmpty)
        crafted.history.exits = [History.Exit(worker: "w1", how: "code 0", wasAsked: false)]
        #expect(crafted.broken == [.workerEnded])
        crafted.history.exits = [History.Exit(worker: "w1", how: "signal 11", wasAsked: true)]
        #expect(crafted.broken == [.workerEnded])
    }

    @Test func aSecretIsFoundWhereverItStands() {
        var crafted = CraftedHistory()
        crafted.history.texts = [History.Text(place: "table sync_logs", text: "Note failed: TEXT-2-0")]
        #expect(crafted.broken.isEmpty)
        crafted.history.texts.append(
            History.Text(place: "table sync_logs", text: "Note failed: \(CraftedHistory.text)")
        )
        #expect(crafted.broken == [.secretTold])
    }
}
