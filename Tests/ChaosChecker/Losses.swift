/// What was lost with servers whose commits waited for no other: what was answered, and what nobody knows any more.
///
/// Each of its questions excuses something that looks wrong. A server whose commits wait for another excuses nothing:
/// what was lost with it was answered to nobody.
struct Losses: Sendable {
    private let changes: [History.Change]
    /// Lease to when it ran out, by a server that was lost.
    private let leases: [Int: History.Instant]
    /// When an intent with an idempotency key was first committed to a server that was lost.
    private(set) var begun: [String: History.Instant] = [:]
    /// Idempotency key to its requests of whose records some are lost.
    private var requests: [String: Set<Int>] = [:]
    /// Pages to their updates of whose records some are lost.
    private var updates: [String: Set<Int>] = [:]
    /// Pages to when an update of them was first intended, by a record that is lost.
    private(set) var firstUpdates: [String: History.Instant] = [:]
    /// Notes and workers of whose requests some records are lost.
    private var senders: Set<[String]> = []
    /// Notes and requests whose outcome was recorded, and the record lost.
    private var ended: Set<[String]> = []
    /// Jobs with changes that are lost.
    private var jobs: Set<String> = []

    init(_ history: History) {
        let failovers = history.failovers.filter { !$0.isSynchronous }
        changes = failovers.flatMap(\.lostChanges)
        leases = failovers.map(\.leases).reduce(into: [:]) { $0.merge($1, uniquingKeysWith: max) }
        for change in changes {
            if change.table == "sync_jobs", let job = change.row.job { jobs.insert(job) }
            if change.table == "sync_intents" { add(change) }
        }
    }

    private mutating func add(_ change: History.Change) {
        for row in [change.old, change.new].compactMap({ $0 }) {
            let request = row.request ?? 0
            if let key = row.key { requests[key, default: []].insert(request) }
            if row.operation == "update", let page = row.page { updates[page, default: []].insert(request) }
        }
        if let new = change.new, let key = new.key, change.old?.request != new.request {
            begun[key] = min(begun[key] ?? .max, change.at)
            if new.operation == "update", let page = new.page {
                firstUpdates[page] = min(firstUpdates[page] ?? .max, change.at)
            }
        }
        let note = [change.row.user ?? "", change.row.note ?? ""]
        senders.insert(note + [change.by])
        // A line of the log names no user.
        senders.insert(["", note[1], change.by])
        if let old = change.old, change.new?.request != old.request || change.new?.unknownAt != nil {
            ended.insert(note + ["\(old.request ?? 0)"])
        }
    }

    /// Whether a job's INSERT is lost, or something that became of it.
    func touches(job: String) -> Bool { jobs.contains(job) }

    /// The runs that began on a server that was lost.
    var runs: [JobRun] {
        changes.filter { $0.table == "sync_jobs" }.compactMap { change in
            guard let new = change.new, new.status == "running", change.old?.lease != new.lease else { return nil }
            let lease = new.lease ?? -1
            var run = JobRun(
                job: new.job ?? "",
                user: new.user ?? "",
                worker: new.worker ?? "",
                lease: lease,
                isFullSync: new.isFullSync ?? false,
                start: change.at
            )
            run.end = JobRun.End(
                at: change.at,
                number: change.number,
                kind: .takenByOperator,
                leaseExpiresAt: leases[lease]
            )
            return run
        }
    }

    /// Until when a worker could take a lease for its own, as a heartbeat was answered whose record is lost.
    func expiry(of lease: Int) -> History.Instant? { leases[lease] }

    /// How many requests with a key have records that are lost. Each may be made again by who does not know of it.
    func requests(key: String) -> Int { requests[key]?.count ?? 0 }

    func updates(of page: String) -> Int { updates[page]?.count ?? 0 }

    /// Whether a worker has sent something for a note of which no record is left: what becomes of it is recorded all
    /// the same.
    func hasRequest(by worker: String, user: String?, note: String?) -> Bool {
        senders.contains([user ?? "", note ?? "", worker])
    }

    /// Whether the worker was told that a request's outcome is recorded.
    func hasEnded(_ intent: History.Row) -> Bool {
        ended.contains([intent.user ?? "", intent.note ?? "", "\(intent.request ?? 0)"])
    }
}
