/// Decides by a run's history whether what the service promises held.
///
/// Knows the tables, the writer's protocol and the promises, and nothing of the code that is to keep them: it imports
/// none of it. Everything that is let pass although it looks wrong stands where it is let pass, with its reason.
public struct Checker: Sendable {
    let history: History
    let runs: [JobRun]
    let intents: IntentLedger
    let pages: PageLedger
    /// What the loss of a server excuses.
    let losses: Losses

    public init(_ history: History) {
        self.history = history
        runs = JobRun.all(in: history)
        intents = IntentLedger(history)
        pages = PageLedger(history)
        losses = Losses(history)
    }

    public func verdict() -> Verdict {
        var verdict = Verdict()
        verdict.violations =
            unfinishedJobs() + overlappingRuns() + writesWithoutLease() + sendsWithoutLease() + earlyCompletions()
            + lostNotes(&verdict.figures) + writesLeftOpen() + doubledPages(&verdict.figures) + doubledTexts()
            + createsWithoutRecord() + endlessRefusals() + lostLeases() + crashesOfLiving()
            + toldSecrets()
            + endedWorkers() + gatesLeftClosed() + wrongPermits()
        count(&verdict.figures)
        return verdict
    }

    private func count(_ figures: inout Figures) {
        figures.jobs = history.jobs.count
        figures.notes = Set(history.versions.map(\.note)).count * history.arrangement.databases.count
        figures.writes = history.calls.count { $0.effect != nil }
        figures.rescues = runs.count { $0.end?.kind == .rescued }
        figures.leasesLost = runs.count { $0.end.map { $0.kind == .rescued || $0.kind == .takenByOperator } ?? false }
        figures.recoveries = recoveries()
        figures.unknownCreates = intents.unknownCreates.values.reduce(0, +)
    }

    /// How long it was after each failover until a worker claimed a job or recorded something of one.
    private func recoveries() -> [History.Instant] {
        let work: Set = ["sync_jobs", "sync_intents", "sync_state", "sync_cursors"]
        return history.failovers.compactMap { failover in
            let first = history.changes.first {
                $0.at >= failover.promotedAt && isWorker($0.by) && work.contains($0.table)
            }
            return first.map { $0.at - failover.promotedAt }
        }
    }

    func isWorker(_ application: String) -> Bool { !history.arrangement.operators.contains(application) }

    /// A worker may only end when it was asked to, and then with code 0.
    func endedWorkers() -> [Violation] {
        history.exits.filter { !$0.wasAsked || $0.how != "code 0" }.map {
            Violation(.workerEnded, "\($0.worker) ended with \($0.how), \($0.wasAsked ? "asked to stop" : "by itself")")
        }
    }

    /// Titles, texts, tokens and keys stand in no log, no table and no error text. `credentials` is looked at like any
    /// other table: its tokens are encrypted, and a ciphertext does not contain them.
    func toldSecrets() -> [Violation] {
        var found: Set<Violation> = []
        for text in history.texts {
            for secret in history.arrangement.secrets where text.text.contains(secret.value) {
                found.insert(Violation(.secretTold, "\(secret.name) in \(text.place)"))
            }
        }
        return found.sorted { $0.what < $1.what }
    }
}
