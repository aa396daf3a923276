/// Result of one run of a job, as its handler states it.
public enum JobOutcome: Sendable, Equatable {
    /// All done.
    case completed
    /// A passing fault: run again after a back-off, at the earliest after `notBefore` if the other side named a time.
    /// The last allowed attempt fails the job instead.
    case retry(error: String, notBefore: Duration? = nil)
    /// Not now: run again after this time. No attempt is spent.
    case snoozed(for: Duration, reason: String)
    /// A fault that a further attempt can't mend.
    case failed(error: String)
    /// Handed back unfinished because the worker stops: due at once, no attempt spent.
    case released
}
