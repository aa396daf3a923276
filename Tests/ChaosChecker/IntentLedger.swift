/// What became of the intents, by what the triggers saw.
struct IntentLedger: Sendable {
    /// Idempotency key to when an intent with it was first committed to.
    private(set) var begun: [String: History.Instant] = [:]
    /// Idempotency key of creates to how often their outcome was recorded as unknown.
    private(set) var unknownCreates: [String: Int] = [:]
    /// Pages of updates whose outcome was recorded as unknown, and when.
    private(set) var unknownUpdates: [(page: String, at: History.Instant)] = []
    private let changes: [History.Change]

    init(_ history: History) {
        changes = history.changes.filter { $0.table == "sync_intents" }
        for change in changes {
            guard let new = change.new, let key = new.key else { continue }
            begun[key] = min(begun[key] ?? .max, change.at)
            // What stands in the old row counts only if it is of the same create.
            let before = change.old?.key == key ? change.old?.unknownCount ?? 0 : 0
            guard (new.unknownCount ?? 0) > before else { continue }
            switch new.operation {
            case "create": unknownCreates[key, default: 0] += (new.unknownCount ?? 0) - before
            default: unknownUpdates.append((new.page ?? "", change.at))
            }
        }
    }

    /// What is open when all is over.
    var open: [History.Row] { open(before: .max) }

    /// Writes begun by a lease whose outcome is not recorded in any way, as of a change's number.
    func underWay(lease: Int, at number: Int) -> [String] {
        open(before: number).filter { $0.lease == lease && $0.unknownAt == nil }.map { row in
            "\(row.operation ?? "write") of note \(row.note ?? "") of \(row.user ?? "")"
        }
    }

    private func open(before number: Int) -> [History.Row] {
        var open: [[String]: History.Row] = [:]
        for change in changes where change.number < number {
            open[[change.row.user ?? "", change.row.note ?? ""]] = change.new
        }
        return open.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }
}
