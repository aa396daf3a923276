internal import Foundation

/// A request to Notion that is about to be sent.
struct Intent: Sendable {
    enum Operation: String, Sendable {
        case create, update
    }

    var noteID: String
    var operation: Operation
    /// The page to update; of a create, the page whose place the new one takes.
    var pageID: String?
    var idempotencyKey: UUID
    var hash: ContentHash
    var modifiedAt: KeepTimestamp
    /// Number of this request: what its outcome is recorded under, whoever holds the job by then.
    var request = RequestID()
    var databaseID: NotionDatabaseID
    /// The open request of the note that this one takes the place of, when it was decided upon.
    var replaced: RequestID?
    /// Whether it is sent to find out if the writer is well again: the outcome of an earlier one is unknown, and no
    /// call has succeeded since.
    var isTrial = false
    /// How long after its commit the request may be under way.
    var openFor: Duration
}

/// Number of one request sent to Notion, random: neither a repeated key nor a repeated note makes two requests one.
struct RequestID: Hashable, Sendable {
    let rawValue: Int64

    init() {
        rawValue = .random(in: 1 ... .max)
    }

    init(rawValue: Int64) {
        self.rawValue = rawValue
    }
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
    /// How that has come about.
    enum Origin: Sendable {
        /// A request created the page, in place of another if one is named.
        case created(by: RequestID, key: UUID, replacing: String?)
        /// A request updated the page.
        case updated(by: RequestID)
        /// The page showed it already.
        case found
    }

    var noteID: String
    var pageID: String
    var modifiedAt: KeepTimestamp
    /// nil where its key may not be in the tables: then the note's time decides.
    var hash: ContentHash?
    var untitledNumber: Int?
    var databaseID: NotionDatabaseID
    var origin: Origin
}

/// A note that could not be written.
struct FailureRecord: Sendable {
    var noteID: String
    var modifiedAt: KeepTimestamp?
    var code: String
    var error: String
    /// What was refused or deferred: it is not sent again while it is the same.
    var hash: ContentHash?
    var databaseID: NotionDatabaseID?

    /// The page lies in the trash; the note waits for its next change or the next full sync.
    static let deferredCode = "deferred"
    /// The content can never be written as it is.
    static let rejectedCode = "rejected"
}

/// A note that is no longer on the list of failed ones.
struct ClearedFailure: Sendable {
    var noteID: String
    /// Clears only what failed up to this version of the note; nil: whatever.
    var upTo: KeepTimestamp?
    /// Whether a request of the note has been heard: what failed stays on the list while a later one is open.
    var afterRequest = false
}

/// A request that was not begun, as the note is no longer as it was when that was decided: it is to be looked up again.
struct OvertakenIntent: Error {}

/// An outcome that nobody knows.
struct UnknownOutcome: Sendable {
    var noteID: String
    var request: RequestID
    var reason: String
}

/// What became of one request.
struct RequestReference: Sendable {
    var noteID: String
    var request: RequestID
}

/// What one event of a job changes in the tables. Entries that come while a transaction is under way are committed
/// together in the next.
struct JournalEntry: Sendable {
    var begun: Intent?
    /// Request that may or may not have been carried out, and why that is not known.
    var unknown: UnknownOutcome?
    /// Request whose outcome is settled.
    var settled: RequestReference?
    /// Request that was certainly not carried out.
    var withdrawn: RequestReference?
    /// Write of unknown outcome that no longer matters.
    var superseded: RequestReference?
    var page: PageRecord?
    var failure: FailureRecord?
    var clearedFailure: ClearedFailure?
    var total: Int?
    var processed = 0
    var failed = 0
    /// Of the processed ones: pages created and updated.
    var created = 0
    var updated = 0
    /// When the call of the writer that succeeded began.
    var succeededCall: ContinuousClock.Instant?
    /// Of them: notes whose page showed them already, edits left out because the page is in the trash, and second
    /// listings.
    var upToDate = 0
    var trashed = 0
    var repeated = 0
    var logs: [LogLine] = []
    /// Ends the sync: the cursor moves.
    var cursor: CursorMove?

    static func log(_ level: LogLine.Level, _ message: String, noteID: String? = nil) -> JournalEntry {
        JournalEntry(logs: [LogLine(level: level, message: message, noteID: noteID)])
    }

    /// Whether something has happened; not so when it only counts.
    var isWorthTelling: Bool {
        begun != nil || page != nil || failure != nil || superseded != nil || isOutcome || !logs.isEmpty
    }

    /// Whether it says what became of a request: that is recorded also when the job is no longer this worker's.
    var isOutcome: Bool { unknown != nil || settled != nil || withdrawn != nil }

    /// The entry once its lines have been refused.
    var withoutLogs: JournalEntry {
        var entry = self
        entry.logs = []
        return entry
    }

    /// What is recorded of an outcome when the job is no longer this worker's: what Notion holds, and nothing of the
    /// job. Not the hash either: a server that has taken over may not have its key.
    ///
    /// - Parameter withLogs: false once the lines have been refused, as by the log's foreign key.
    func outcomeAlone(withLogs: Bool) -> JournalEntry {
        var page = page
        page?.hash = nil
        return JournalEntry(
            unknown: unknown,
            settled: settled,
            withdrawn: withdrawn,
            page: page,
            clearedFailure: clearedFailure.map {
                ClearedFailure(noteID: $0.noteID, upTo: page?.modifiedAt, afterRequest: $0.afterRequest)
            },
            logs: withLogs ? logs : []
        )
    }
}

/// The end of a complete fetch: where the next incremental sync begins.
struct CursorMove: Sendable {
    /// nil leaves it where it is.
    var modifiedAt: KeepTimestamp?
    /// Whether everything was fetched: then it may move back.
    var mayMoveBack: Bool
    /// The version read at the job's start; if somebody reset the cursor since, it is not moved.
    var version: Int64
    var databaseID: NotionDatabaseID
    /// Failed notes that were asked for and are gone.
    var vanishedFailures: [String]
}
