import Synchronization

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

    func insert(_ entry: Entry) {
        entries.withLock { $0[entry.job.id] = entry }
    }

    func remove(_ entry: Entry) {
        entries.withLock { entries in
            // A job given back and claimed again by this same worker stands here under its new lease.
            guard entries[entry.job.id]?.job.lease == entry.job.lease else { return }
            entries[entry.job.id] = nil
        }
    }
}
