import Support

/// The jobs this worker holds right now.
final class RunningJobs: Sendable {
    struct Entry: Sendable {
        let job: ClaimedJob
        let lease: LeaseGuard
    }

    private let entries = Mutex<[JobID: Entry]>([:])

    var count: Int { entries.withLock { $0.count } }

    /// The entries, sorted by job.
    var all: [Entry] {
        entries.withLock { Array($0.values) }.sorted { $0.job.id < $1.job.id }
    }

    func remove(_ entry: Entry) {
        replace([(entry.job.id, entry.job.lease)], by: [])
    }

    /// Lets jobs go that have ended, and holds others in their place.
    func replace(_ ended: [(id: JobID, lease: Lease)], by next: [Entry]) {
        entries.withLock { entries in
            // A job given back and claimed again by this same worker stands here under its new lease.
            for job in ended where entries[job.id]?.job.lease == job.lease { entries[job.id] = nil }
            for entry in next { entries[entry.job.id] = entry }
        }
    }
}
