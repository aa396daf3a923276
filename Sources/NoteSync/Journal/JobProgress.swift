/// Counts of a job's notes.
struct JobProgress: Sendable, Equatable {
    var total = 0
    var processed = 0
    var failed = 0
    var created = 0
    var updated = 0
    var upToDate = 0
    var trashed = 0
    var repeated = 0
    /// Number of the transaction that writes them, from 1 in each lease.
    var transaction: Int64 = 0
    /// Number of the last one that is known to be committed.
    var committed: Int64 = 0

    mutating func add(_ entry: JournalEntry) {
        if let total = entry.total { self.total = total }
        processed += entry.processed
        failed += entry.failed
        created += entry.created
        updated += entry.updated
        upToDate += entry.upToDate
        trashed += entry.trashed
        repeated += entry.repeated
    }
}
