internal import Postgres

/// How long a job waits for rows that another session has locked before it lets go of its places: the row is to hold
/// up that job alone.
struct LockPatience {
    private static let limit = Duration.milliseconds(1500)

    private var lockedSince: ContinuousClock.Instant?

    /// Whether the job has waited long enough, as of this failed try. A try that fails for another reason says nothing
    /// of the lock.
    mutating func isOver(after error: PostgresError) -> Bool {
        guard error.sqlState == .lockNotAvailable else { return false }
        let since = lockedSince ?? .now
        lockedSince = since
        return since + Self.limit < .now
    }
}
