/// Result of one run of a job, as its handler states it.
public enum JobOutcome: Sendable, Equatable {
    /// All done.
    case completed
    /// A passing fault: run again after a back-off, at the earliest after `notBefore` if the other side named a time.
    /// The last allowed attempt fails the job instead.
    case retry(error: String, notBefore: Duration? = nil)
    /// Not now: run again after this time, or when the gate is opened that it waits for. No attempt is spent.
    case snoozed(for: Duration, reason: String, gate: String? = nil)
    /// Not now, as a peer is out of order: run again after this time, however often that was so before, or when the
    /// peer's gate is opened. No attempt is spent.
    case suspended(for: Duration, reason: String, gate: String? = nil)
    /// A fault that a further attempt can't mend.
    case failed(error: String)
    /// Handed back unfinished: due at once, no attempt spent.
    case released(Release)

    /// Why a job is handed back.
    public enum Release: Sendable, Equatable {
        /// The worker stops.
        case stopping
        /// The database did not answer until the lease might have run out.
        case leaseExpired
        /// Somebody else has the job by now.
        case leaseRevoked
        /// The worker's keys open nothing of what is stored.
        case keysLost
    }
}
