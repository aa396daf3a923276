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
        /// nil: last written by the replaced service, which knows one database a user.
        var databaseID: NotionDatabaseID?
    }

    /// A request that was sent and not settled.
    struct OpenIntent: Sendable, Equatable {
        var operation: Intent.Operation
        var request = RequestID(rawValue: 0)
        /// The page that an update changes, or that a create is to replace.
        var pageID: String?
        var idempotencyKey: UUID
        /// Of what it was to write.
        var hash: ContentHash
        var modifiedAt: KeepTimestamp
        var databaseID: NotionDatabaseID?
        /// What an operator has said it should be.
        var resolution: SyncConfiguration.UnknownCreates?
        /// Requests whose outcome is unknown.
        var unknownCount = 1
        /// Whether one of them was sent to find out if the writer is well again.
        var wasTrial = false
        /// Whether one of them came of an outage that all have met.
        var wasOutage = false
        /// For how long the latest outcome has been unknown, by the database's clock.
        var unknownFor = Duration.zero
        var unknownAt: Date?
        /// How much longer it may be under way in another process; nil: it is not.
        var openFor: Duration?
        var reason: String?

        /// Whether a note is another than the one it was to write: its owner has edited it since.
        func isOutdated(by note: KeepNote, _ hash: ContentHash, _ hasher: ContentHasher) -> Bool {
            note.modifiedAt > modifiedAt && hasher.comparable(self.hash) != hash
        }
    }

    /// What the list of failed notes says of it.
    struct Failure: Sendable, Equatable {
        var code: String
        var error: String
        /// Of what was refused or deferred.
        var hash: ContentHash?
        var databaseID: NotionDatabaseID?
    }

    var page: Page?
    var intent: OpenIntent?
    var failure: Failure?

    static let unknown = KnownNote()

    /// The note's page in a database.
    func page(in databaseID: NotionDatabaseID) -> Page? {
        page.flatMap { $0.databaseID ?? databaseID == databaseID ? $0 : nil }
    }

    /// A write of unknown outcome that is not to be made again: a create whose note has got another page meanwhile, by
    /// the answer of an earlier request or by the replaced service; an update of a page that the latter has written
    /// since, with the note as it is now, or of one that somebody has taken off the record to have it created anew.
    func superseded(in databaseID: NotionDatabaseID, by note: KeepNote) -> OpenIntent? {
        guard let intent, intent.unknownAt != nil, intent.databaseID ?? databaseID == databaseID else { return nil }
        guard let page = page(in: databaseID) else { return intent.operation == .update ? intent : nil }
        let isSuperseded =
            switch intent.operation {
            case .create: page.id != intent.pageID
            case .update: page.id == intent.pageID && page.hash == nil && page.modifiedAt == note.modifiedAt
            }
        return isSuperseded ? intent : nil
    }
}

/// What is to be done with a fetched note.
enum NoteDecision: Sendable, Equatable {
    /// The page shows this note. `record` says whether the tables have something to learn all the same.
    case upToDate(record: Bool)
    /// Create a page.
    case create
    case update(page: KnownNote.Page)
    /// A request may be under way in another process: wait for its outcome, or for its time to pass.
    case wait
    /// An earlier write may have happened; write again, a create with this key, once the writer has proved to be well.
    case writeAgain(idempotencyKey: UUID?)
    /// An earlier write may have happened, and an operator is to say what becomes of it.
    case hold(KnownNote.OpenIntent)
    /// This very content was refused for good.
    case refused(KnownNote.Failure)
    /// The page lies in the trash and this edit is left for later.
    case deferred
}

extension NoteDecision {
    /// The skip rule.
    ///
    /// A note is up to date when its content is what was last written; its time of modification alone is no reason to
    /// write, nor is a full sync: an update appends. A page whose hash says nothing is judged by its time.
    init(_ note: KeepNote, hash: ContentHash, known: KnownNote, job: JobView) {
        let page = known.page(in: job.databaseID)
        let isSuperseded = known.superseded(in: job.databaseID, by: note) != nil
        if let intent = known.intent {
            if intent.openFor != nil {
                self = .wait
                return
            }
            // What was sent to another database says nothing of this one.
            if intent.databaseID ?? job.databaseID == job.databaseID, !isSuperseded {
                if let failure = known.failure, failure.code == FailureRecord.rejectedCode, intent.resolution == nil,
                    Self.isOf(failure, hash, job)
                {
                    self = .refused(failure)
                } else {
                    self = Self.again(note, hash, intent, page, job)
                }
                return
            }
        }
        if let failure = known.failure, Self.isOf(failure, hash, job) {
            if failure.code == FailureRecord.rejectedCode {
                self = .refused(failure)
                return
            }
            if failure.code == FailureRecord.deferredCode, !job.isFullSync, page != nil {
                self = .deferred
                return
            }
        }
        guard let page else {
            self = .create
            return
        }
        guard Self.shows(page, note, hash, job.hasher) else {
            self = .update(page: page)
            return
        }
        self = .upToDate(
            record: isSuperseded || page.hash != hash || page.modifiedAt != note.modifiedAt || known.failure != nil
                || page.databaseID == nil
        )
    }

    /// Whether it is this content, in this database, that failed.
    private static func isOf(_ failure: KnownNote.Failure, _ hash: ContentHash, _ job: JobView) -> Bool {
        failure.databaseID == job.databaseID && job.hasher.comparable(failure.hash) == hash
    }

    private static func shows(
        _ page: KnownNote.Page,
        _ note: KeepNote,
        _ hash: ContentHash,
        _ hasher: ContentHasher
    ) -> Bool {
        guard let written = hasher.comparable(page.hash) else { return page.modifiedAt == note.modifiedAt }
        if written == hash { return true }
        // A title that a person gave may be the note's position in this one response, or have been in that of the page.
        guard let number = page.untitledNumber else { return written == hasher.hashIfTitled(note) }
        return note.title == "Note #\(number)" && written == hasher.hashIfUntitled(note)
    }

    private static func again(
        _ note: KeepNote,
        _ hash: ContentHash,
        _ intent: KnownNote.OpenIntent,
        _ page: KnownNote.Page?,
        _ job: JobView
    ) -> NoteDecision {
        if intent.resolution == .hold || intent.resolution == nil && job.unknownCreates == .hold
            || intent.resolution != .retry
                && intent.unknownCount >= job.unknownLimit + (intent.wasTrial || intent.wasOutage ? 1 : 0)
        {
            return .hold(intent)
        }
        switch intent.operation {
        case .create:
            // A key stands for one content: a writer that knows it answers with the page that it made of the first.
            let isSame =
                job.hasher.comparable(intent.hash).map { $0 == hash } ?? (intent.modifiedAt == note.modifiedAt)
            return .writeAgain(idempotencyKey: isSame ? intent.idempotencyKey : nil)
        case .update: return .writeAgain(idempotencyKey: nil)
        }
    }

    /// What the rule needs of a job.
    struct JobView: Sendable {
        var isFullSync: Bool
        var databaseID: NotionDatabaseID
        var hasher: ContentHasher
        var unknownCreates: SyncConfiguration.UnknownCreates
        var unknownLimit: Int
    }
}
