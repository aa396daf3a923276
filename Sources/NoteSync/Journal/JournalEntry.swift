internal import Foundation

/// A write to Notion that is about to be sent.
struct Intent: Sendable {
    enum Operation: String, Sendable {
        case create, update
    }

    var noteID: String
    var operation: Operation
    /// The page to update.
    var pageID: String?
    var idempotencyKey: UUID
    var hash: ContentHash
    var modifiedAt: KeepTimestamp
}

/// A line of `sync_logs`.
struct LogLine: Sendable {
    enum Level: String, Sendable {
        case info = "INFO"
        case warning = "WARNING"
        case error = "ERROR"
    }

    var level: Level
    var message: String
    var noteID: String?
}

/// What a note's page shows from now on.
struct PageRecord: Sendable {
    var noteID: String
    var pageID: String
    var modifiedAt: KeepTimestamp
    var hash: ContentHash
    var untitledNumber: Int?
    /// Whether the page has just been written, and not only found up to date.
    var isWritten: Bool
    /// Whether there is a row to change already.
    var isKnown: Bool
}

/// A note that could not be written.
struct FailureRecord: Sendable {
    var noteID: String
    var modifiedAt: KeepTimestamp?
    var code: String
    var error: String
}

/// What one event of a job changes in the tables. Entries that come while a transaction is under way are committed
/// together in the next.
struct JournalEntry: Sendable {
    var begun: Intent?
    /// Note whose write may or may not have happened, and why that is not known.
    var unknown: (noteID: String, reason: String)?
    /// Note whose intent is settled.
    var settledIntent: String?
    /// Note whose write was certainly not carried out this time.
    var withdrawnIntent: String?
    var page: PageRecord?
    var failure: FailureRecord?
    /// Note that is no longer on the list of failed ones.
    var clearedFailure: String?
    var total: Int?
    var processed = 0
    var failed = 0
    /// Of the processed ones: pages created and updated.
    var created = 0
    var updated = 0
    var logs: [LogLine] = []
    /// Ends the sync: the cursor moves.
    var cursor: CursorMove?

    static func log(_ level: LogLine.Level, _ message: String, noteID: String? = nil) -> JournalEntry {
        JournalEntry(logs: [LogLine(level: level, message: message, noteID: noteID)])
    }
}

/// The end of a complete fetch: where the next incremental sync begins.
struct CursorMove: Sendable {
    /// nil leaves it where it is.
    var modifiedAt: KeepTimestamp?
    /// The version read at the job's start; if somebody reset the cursor since, it is not moved.
    var version: Int64
    /// Failed notes that were asked for and are gone.
    var vanishedFailures: [String]
}
