/// The time between a claim and whatever ended it.
struct JobRun: Sendable {
    enum EndKind: Sendable {
        /// By its own worker: completed, failed, to be tried again, handed back.
        case finished
        /// The lease had run out.
        case rescued
        /// Cancelled, queued or deleted by somebody else.
        case takenByOperator
    }

    struct End: Sendable {
        var at: History.Instant
        var number: Int
        var kind: EndKind
        /// Status after it; nil if the row was deleted.
        var status: String?
        /// When the lease would have run out.
        var leaseExpiresAt: History.Instant?
    }

    let job: String
    let user: String
    let worker: String
    let lease: Int
    let isFullSync: Bool
    let start: History.Instant
    /// nil: it has not ended.
    var end: End?

    /// All of them, in the order in which they began.
    static func all(in history: History) -> [JobRun] {
        var open: [String: JobRun] = [:]
        var runs: [JobRun] = []
        for change in history.changes where change.table == "sync_jobs" {
            guard let job = change.row.job else { continue }
            let wasRunning = change.old?.status == "running"
            let isRunning = change.new?.status == "running"
            let isTaken = isRunning && (!wasRunning || change.old?.lease != change.new?.lease)
            if wasRunning, !isRunning || isTaken, var run = open.removeValue(forKey: job) {
                run.end = End(
                    at: change.at,
                    number: change.number,
                    kind: kind(of: change, operators: history.arrangement.operators),
                    status: change.new?.status,
                    leaseExpiresAt: change.old?.leaseExpiresAt
                )
                runs.append(run)
            }
            if isTaken, let new = change.new {
                open[job] = JobRun(
                    job: job,
                    user: new.user ?? "",
                    worker: new.worker ?? "",
                    lease: new.lease ?? -1,
                    isFullSync: new.isFullSync ?? false,
                    start: change.at
                )
            }
        }
        return (runs + open.values).sorted { ($0.start, $0.lease) < ($1.start, $1.lease) }
    }

    private static func kind(of change: History.Change, operators: Set<String>) -> EndKind {
        if operators.contains(change.by) { return .takenByOperator }
        return change.isRescue ? .rescued : .finished
    }
}
