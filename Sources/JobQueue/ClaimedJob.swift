public import Foundation

/// A job this worker holds: what was in its row at the claim.
public struct ClaimedJob: Sendable {
    public let id: JobID
    public let userID: UserID
    public let lease: Lease
    /// Whether every note is to be written, not only what changed.
    public let isFullSync: Bool
    /// Number of this attempt, from 1.
    public let attempt: Int
    public let maximumAttempts: Int
    /// Workers that died with this job so far.
    public let crashes: Int
    /// Time of the first claim, by the database's clock. Retries and rescues keep it.
    public let startedAt: Date
    /// W3C trace context of whoever enqueued the job.
    public let traceparent: String?

    public init(
        id: JobID,
        userID: UserID,
        lease: Lease,
        isFullSync: Bool,
        attempt: Int,
        maximumAttempts: Int,
        crashes: Int,
        startedAt: Date,
        traceparent: String?
    ) {
        self.id = id
        self.userID = userID
        self.lease = lease
        self.isFullSync = isFullSync
        self.attempt = attempt
        self.maximumAttempts = maximumAttempts
        self.crashes = crashes
        self.startedAt = startedAt
        self.traceparent = traceparent
    }
}
