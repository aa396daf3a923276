/// Which jobs a list shows, or many are changed: those that meet all of it.
public struct JobFilter: Sendable {
    public var user: UserID?
    /// One of these; empty: any.
    public var statuses: [JobStatus]
    /// Created or ended no longer ago than this.
    public var age: Duration?
    /// The key of the cause of their failure, as the alert of kind `job_failed` has it behind the colon.
    public var cause: String?
    /// A part of their error, in upper or lower case.
    public var error: String?
    /// Whether some of their notes failed.
    public var hasFailedNotes: Bool

    public init(
        user: UserID? = nil,
        statuses: [JobStatus] = [],
        age: Duration? = nil,
        cause: String? = nil,
        error: String? = nil,
        hasFailedNotes: Bool = false
    ) {
        (self.user, self.statuses, self.age) = (user, statuses, age)
        (self.cause, self.error, self.hasFailedNotes) = (cause, error, hasFailedNotes)
    }

    /// Whether anything is asked that no index serves.
    var isSelective: Bool { !statuses.isEmpty || age != nil || cause != nil || error != nil || hasFailedNotes }

    /// Whether a condition of it takes so long that the choice of an index would not matter beside it.
    var isCostly: Bool { cause != nil || error != nil }

    /// Whether only jobs meet it that failed or were cancelled, which have an index of their own.
    var isOfUnsuccessful: Bool {
        cause != nil || !statuses.isEmpty && statuses.allSatisfy { $0 == .failed || $0 == .cancelled }
    }
}
