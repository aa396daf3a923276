/// What became of the intents, by what the triggers saw.
struct IntentLedger: Sendable {
    /// Idempotency key to when an intent with it was first committed to.
    private(set) var begun: [String: History.Instant] = [:]
    /// Idempotency key of creates to how often their outcome was recorded as unknown.
    private(set) var unknownCreates: [String: Int] = [:]
    /// Updates whose outcome was recorded as unknown: their pages, and the hashes of what they were to write.
    private(set) var unknownUpdates: [(page: String, hash: String)] = []
    /// Pages to the hashes of what updates were to write there, and when the first with each was committed to.
    private var updateHashes: [String: [String: History.Instant]] = [:]
    /// Idempotency key to the leases by which requests with it were begun.
    private(set) var leases: [String: Set<Int>] = [:]
    /// Notes to the leases by which requests for them were begun, and when.
    private(set) var senders: [PageLedger.NoteKey: [(lease: Int, at: History.Instant)]] = [:]
    /// Numbers of requests to the worker that sent each.
    private var workers: [Int: String] = [:]
    /// Requests without an outcome whose place has been taken, at the end, by their number.
    private var unheard: [Int: History.Row] = [:]
    private let changes: [History.Change]

    init(_ history: History) {
        changes = history.changes.filter { $0.table == "sync_intents" }
        for change in history.changes where change.table == "sync_unheard_requests" {
            if let request = change.row.request { unheard[request] = change.new }
        }
        for change in changes {
            guard let new = change.new, let key = new.key else { continue }
            begun[key] = min(begun[key] ?? .max, change.at)
            if new.operation == "update" {
                let first = updateHashes[new.page ?? ""]?[new.hash ?? ""] ?? .max
                updateHashes[new.page ?? "", default: [:]][new.hash ?? ""] = min(first, change.at)
            }
            let isRequest = change.old == nil || change.old?.request != new.request || change.old?.lease != new.lease
            if let request = new.request, workers[request] == nil { workers[request] = change.by }
            if isRequest, let lease = new.lease {
                leases[key, default: []].insert(lease)
                let note = PageLedger.NoteKey(user: new.user ?? "", note: new.note ?? "")
                senders[note, default: []].append((lease, change.at))
            }
            // An outcome is recorded where the time of its being unknown appears.
            guard new.unknownAt != nil || (new.unknownCount ?? 0) > (change.old?.unknownCount ?? 0),
                change.old?.unknownAt == nil || (new.unknownCount ?? 0) > (change.old?.unknownCount ?? 0),
                change.old?.key == nil || change.old?.key == key
            else { continue }
            switch new.operation {
            case "create": unknownCreates[key, default: 0] += 1
            default: unknownUpdates.append((new.page ?? "", new.hash ?? ""))
            }
        }
    }

    /// The worker that sent a request. A note's row names the lease of another, when a later request was withdrawn.
    func sender(of request: Int?) -> String? { request.flatMap { workers[$0] } }

    /// How many updates of a page are on record as unknown that were to write a text which came into being, and first
    /// got to the writer, at these times. Hashes are keyed: which of them is the text's is told by nothing but when
    /// they first appear.
    func unknownUpdates(of page: String, madeAt: History.Instant, sentAt: History.Instant) -> Int {
        let hashes = (updateHashes[page] ?? [:]).filter { $0.value >= madeAt && $0.value <= sentAt }
        return unknownUpdates.count { $0.page == page && hashes[$0.hash] != nil }
    }

    /// What is open when all is over.
    var open: [History.Row] { open(before: .max) }

    /// Writes begun by a lease whose outcome is not recorded in any way, as of a change's number.
    func underWay(lease: Int, at number: Int, except isExcused: (History.Row) -> Bool) -> [String] {
        open(before: number).filter { $0.lease == lease && $0.unknownAt == nil && !isExcused($0) }.map { row in
            "\(row.operation ?? "write") of note \(row.note ?? "") of \(row.user ?? "")"
        }
    }

    /// Requests that stand on record at the end as creates that may have made a page: open ones, and those that have
    /// lost their row.
    func standingCreates(of note: PageLedger.NoteKey) -> Int {
        let isOf = { (row: History.Row) in
            row.user == note.user && row.note == note.note && row.operation == "create"
        }
        return open.count(where: isOf) + unheard.values.count(where: isOf)
    }

    private func open(before number: Int) -> [History.Row] {
        var open: [[String]: History.Row] = [:]
        for change in changes where change.number < number {
            open[[change.row.user ?? "", change.row.note ?? ""]] = change.new
        }
        return open.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }
}
