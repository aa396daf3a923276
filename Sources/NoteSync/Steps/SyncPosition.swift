internal import Foundation

/// Where a user's sync stands, read at the start of a job.
struct SyncPosition: Sendable, Equatable {
    /// All notes modified before this, in Keep's time, are settled; nil: nothing is known.
    var cursor: KeepTimestamp?
    /// Grows when somebody resets the cursor.
    var version: Int64
    /// The database's clock.
    var now: KeepTimestamp
    /// The Notion databases that the user's pages lie in.
    var databases = PageDatabases(home: nil, ofPages: [])
    var failedNotes: [String]
    /// Of failed notes and of notes with an open write. nil with failed notes: one of them has no time that could be
    /// read.
    var oldestFailed: KeepTimestamp?
    /// Whether an earlier run has left requests without an outcome.
    var hasOpenIntents = false
    /// Since when the latest unknown outcome of the user has been unknown.
    var unknownSince: Date?
    /// When anybody's call of the writer last succeeded.
    var writerSucceededAt: Date?

    /// Whether the writer has answered nobody since the outcome of one of the user's writes became unknown.
    var isWriterInDoubt: Bool {
        unknownSince.map { since in writerSucceededAt.map { $0 < since } ?? true } ?? false
    }

    /// From when on an incremental sync asks for notes; nil: for all.
    ///
    /// A user of the replaced service has pages but no cursor. What that service remembered, the time of its last
    /// write, bounds nothing: a note that failed in its very first run may be of any age. So everything is fetched
    /// once; what is up to date is passed over by its time of modification.
    func modifiedSince(isFullSync: Bool, lookback: Duration) -> KeepTimestamp? {
        guard !isFullSync, let cursor else { return nil }
        if !failedNotes.isEmpty, oldestFailed == nil { return nil }
        let since = min(cursor, oldestFailed ?? cursor, now) - lookback
        // Notes from the year 1, Python's way to say that there is no time, must not make a filter that it can't read.
        return since < Self.earliest ? nil : since
    }

    /// 0001-01-01T00:00:00, Python's earliest time.
    private static let earliest = KeepTimestamp(
        microseconds: CivilDate.days(year: 1, month: 1, day: 1) * 86_400_000_000
    )

    /// Whether a note counts for the cursor. A device whose clock is ahead stamps notes with a time to come: a cursor
    /// that followed one of them would pass over every edit until then.
    func isPast(_ time: KeepTimestamp) -> Bool { time <= now }
}
