/// Where a user's sync stands, read at the start of a job.
struct SyncPosition: Sendable, Equatable {
    /// All notes modified before this, in Keep's time, are settled; nil: nothing is known.
    var cursor: KeepTimestamp?
    /// Grows when somebody resets the cursor.
    var version: Int64
    /// The database's clock.
    var now: KeepTimestamp
    var failedNotes: Set<String>
    /// nil with failed notes: one of them has no time that could be read.
    var oldestFailed: KeepTimestamp?
    /// Whether a worker that died or was paused has left writes open.
    var hasOrphanedIntents = false

    /// From when on an incremental sync asks for notes; nil: for all.
    ///
    /// A user of the replaced service has pages but no cursor. What that service remembered, the time of its last write,
    /// bounds nothing: a note that failed in its very first run may be of any age. So everything is fetched once; what is up
    /// to date is passed over by its time of modification.
    func modifiedSince(isFullSync: Bool, lookback: Duration) -> KeepTimestamp? {
        guard !isFullSync, let cursor else { return nil }
        if !failedNotes.isEmpty, oldestFailed == nil { return nil }
        let since = min(cursor, oldestFailed ?? cursor) - lookback
        // Notes from the year 1, Python's way to say that there is no time, must not make a filter that it can't read.
        return since < Self.earliest ? nil : since
    }

    /// 0001-01-01T00:00:00, Python's earliest time.
    private static let earliest = KeepTimestamp(
        microseconds: CivilDate.days(year: 1, month: 1, day: 1) * 86_400_000_000
    )

    /// Where the cursor goes after a complete fetch whose notes are all settled.
    ///
    /// A device whose clock is ahead stamps notes with a time to come. The cursor does not follow: it would pass over every
    /// edit until then.
    func moved(newest: KeepTimestamp?) -> KeepTimestamp? {
        newest.map { min($0, now) }
    }
}
