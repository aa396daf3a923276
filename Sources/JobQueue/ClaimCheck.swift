internal import Foundation
internal import Postgres

/// What a claim asks of a job, as the tables answer it.
struct ClaimCheck: Sendable {
    let status: JobStatus
    let hasEntry: Bool
    let isQueued: Bool
    let isListed: Bool
    let isDue: Bool
    let isParked: Bool
    let isForced: Bool
    let isQueueOpen: Bool
    let isUserPaused: Bool
    /// The process that has the record locked, 0 for a prepared transaction; nil: nobody.
    let recordLocker: Int?
    /// The same of the queue row.
    let entryLocker: Int?
    /// An earlier job of the user, which a claim takes in its place.
    let ahead: JobID?
    /// The job of the user that runs; it may be this one.
    let running: Running?

    struct Running: Sendable {
        let id: JobID
        let leaseEndsAt: Date
        let isLeaseOver: Bool
        let holder: WorkerInstance?
    }

    /// Whether a claim with a free slot takes it.
    var isClaimable: Bool {
        isQueued && isListed && isDue && !isPaused && running == nil && ahead == nil && recordLocker == nil
            && entryLocker == nil
    }

    var isPaused: Bool { !isForced && (!isQueueOpen || isUserPaused) }

    /// Reads a row of `claimConditions`.
    init(_ row: PostgresRow) throws {
        status = JobStatus(word: try row.decode("status"))
        hasEntry = try row.decode("has_entry")
        isQueued = try row.decode("is_queued")
        isListed = try row.decode("is_listed")
        isDue = try row.decode("is_due")
        isParked = try row.decode("is_parked")
        isForced = try row.decode("is_forced")
        isQueueOpen = try row.decode("is_open")
        isUserPaused = try row.decode("is_user_paused")
        recordLocker = try row.decode("record_locker")
        entryLocker = try row.decode("entry_locker")
        ahead = try row.decode("ahead", as: UUID?.self).map(JobID.init)
        running = try row.decode("running", as: UUID?.self).map { id in
            Running(
                id: JobID(id),
                leaseEndsAt: try row.decode("lease_ends_at", as: Date?.self) ?? .distantPast,
                isLeaseOver: try row.decode("is_lease_over", as: Bool?.self) ?? true,
                holder: try row.decode("holder", as: UUID?.self).map { WorkerInstance($0) }
            )
        }
    }
}
