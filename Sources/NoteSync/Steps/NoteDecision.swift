internal import Foundation

/// What the tables know of a note.
struct KnownNote: Sendable {
    /// The note's page, as last written.
    struct Page: Sendable, Equatable {
        var id: String
        var modifiedAt: KeepTimestamp
        /// nil: last written by the replaced service.
        var hash: ContentHash?
        var untitledNumber: Int?
        var lastSyncedAt: Date
    }

    /// A write that was begun and not settled.
    struct OpenIntent: Sendable, Equatable {
        var operation: Intent.Operation
        var idempotencyKey: UUID
        /// Of what the first request with this key was to write.
        var hash: ContentHash
        /// What an operator has said it should be.
        var resolution: SyncConfiguration.UnknownCreates?
    }

    var page: Page?
    var intent: OpenIntent?
    /// Whether it is on the list of failed notes.
    var hasFailed = false

    static let unknown = KnownNote()
}

/// What is to be done with a fetched note.
enum NoteDecision: Sendable, Equatable {
    /// The page shows this note. `record` says whether the tables have something to learn all the same.
    case upToDate(record: Bool)
    /// Create a page, with this key if an earlier create may have happened.
    case create(idempotencyKey: UUID?)
    case update(page: KnownNote.Page)
    /// An earlier write may have happened, and an operator is to say what becomes of it.
    case hold
}

extension NoteDecision {
    /// The skip rule.
    ///
    /// A note is up to date when its content is what was last written; its time of modification alone is no reason to
    /// write, for an update appends. A page the replaced service wrote has no hash: its time decides. A full sync writes
    /// every note, but not what has been written since this job began.
    init(
        _ note: KeepNote,
        hash: ContentHash,
        known: KnownNote,
        job: JobView,
        unknownCreates: SyncConfiguration.UnknownCreates
    ) {
        if let intent = known.intent {
            let resolution = intent.resolution ?? unknownCreates
            switch (resolution, intent.operation, known.page) {
            case (.hold, _, _): self = .hold
            case (.retry, .create, _): self = .create(idempotencyKey: intent.idempotencyKey)
            case (.retry, .update, let page?): self = .update(page: page)
            case (.retry, .update, nil): self = .create(idempotencyKey: nil)
            }
            return
        }
        guard let page = known.page else {
            self = .create(idempotencyKey: nil)
            return
        }
        let isSame = page.hash.map { $0 == hash } ?? (page.modifiedAt == note.modifiedAt)
        let isDone = isSame && (!job.isFullSync || page.lastSyncedAt >= job.startedAt)
        guard isDone else {
            self = .update(page: page)
            return
        }
        self = .upToDate(record: page.hash == nil || page.modifiedAt != note.modifiedAt || known.hasFailed)
    }

    /// What the rule needs of a job.
    struct JobView: Sendable {
        var isFullSync: Bool
        var startedAt: Date
    }
}
