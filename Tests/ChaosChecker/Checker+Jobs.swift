extension Checker {
    private static let finalStatuses: Set<String> = ["completed", "failed", "cancelled"]

    /// Every job whose INSERT was committed, and that nobody deleted, is in a final state; the last sync of each user,
    /// with no fault left, is completed.
    func unfinishedJobs() -> [Violation] {
        let rows = Dictionary(history.jobs.map { ($0.job, $0) }, uniquingKeysWith: { $1 })
        var expected: Set<String> = []
        for change in history.changes where change.table == "sync_jobs" {
            guard let job = change.row.job else { continue }
            if change.operation == "INSERT" { expected.insert(job) }
            if change.operation == "DELETE" { expected.remove(job) }
        }
        var violations: [Violation] = []
        let inserted = Set(
            history.changes.filter { $0.table == "sync_jobs" && $0.operation == "INSERT" }.compactMap(\.row.job)
        )
        // Let pass: what was lost with a server whose commits waited for no other.
        for job in history.acknowledgedJobs.sorted() where !inserted.contains(job) && !losses.touches(job: job) {
            violations.append(Violation(.jobNotFinal, "the INSERT of job \(job) was answered and is lost"))
        }
        for job in expected.sorted() {
            guard let row = rows[job] else {
                violations.append(Violation(.jobNotFinal, "job \(job) is gone"))
                continue
            }
            if !Self.finalStatuses.contains(row.status) {
                violations.append(Violation(.jobNotFinal, "job \(job) of \(row.user) is \(row.status)"))
            } else if !row.isClosed {
                violations.append(Violation(.jobNotFinal, "job \(job) is \(row.status) without completed_at"))
            }
        }
        for user in history.arrangement.databases.keys.sorted() {
            let row = history.finalJobs[user].flatMap { rows[$0] }
            if row?.status != "completed" {
                let how = row.map { "\($0.status): \($0.error ?? "no reason given")" } ?? "missing"
                violations.append(Violation(.jobNotFinal, "the last sync of \(user) is \(how)"))
            }
        }
        return violations
    }

    /// No job is given to a second holder while the first has it, and no two runs of one user overlap.
    ///
    /// The times are taken within the transactions: a run seems to end before its end can be seen, and to begin after
    /// the unique index let it, so runs that do not overlap never seem to.
    func overlappingRuns() -> [Violation] {
        var violations: [Violation] = []
        for change in history.changes where change.table == "sync_jobs" {
            guard change.old?.status == "running", change.new?.status == "running",
                change.old?.lease != change.new?.lease || change.old?.worker != change.new?.worker
            else { continue }
            let what =
                "job \(change.row.job ?? "") went from \(change.old?.worker ?? "") to \(change.new?.worker ?? "")"
            violations.append(Violation(.jobRunTwice, what + " while it ran"))
        }
        for (user, ofUser) in Dictionary(grouping: runs, by: \.user).sorted(by: { $0.key < $1.key }) {
            var latest: JobRun?
            for run in ofUser {
                if let latest, latest.end.map({ $0.at > run.start }) ?? true {
                    let rule: Violation.Rule = latest.job == run.job ? .jobRunTwice : .userRunTwice
                    let what = "\(user): \(latest.worker) runs \(latest.job) while \(run.worker) begins \(run.job)"
                    violations.append(Violation(rule, what))
                }
                if (latest?.end?.at ?? 0) <= (run.end?.at ?? .max) { latest = run }
            }
        }
        return violations
    }

    /// A job that becomes completed has no write under way, and has counted every note it fetched.
    ///
    /// Let pass: what the worker was told is recorded, and was lost with the server that said so.
    func earlyCompletions() -> [Violation] {
        var violations: [Violation] = []
        for run in runs where run.end?.status == "completed" && run.end?.kind == .finished {
            for open in intents.underWay(lease: run.lease, at: run.end?.number ?? 0, except: losses.hasEnded) {
                let what = "job \(run.job) of \(run.user) was completed while \(open) was under way"
                violations.append(Violation(.completedTooEarly, what))
            }
        }
        for row in history.jobs
        where row.status == "completed" && row.processed + row.failed != row.total && !losses.touches(job: row.job) {
            let counts = "\(row.processed) processed and \(row.failed) failed of \(row.total)"
            violations.append(Violation(.completedTooEarly, "job \(row.job) is completed with \(counts)"))
        }
        return violations
    }
}
