public import Foundation
public import JobQueue
public import Postgres

/// What is on record of one note, without its text.
public struct NoteLife: Sendable {
    /// The page that shows the note.
    public struct Page: Sendable {
        public let id: String
        /// The Notion database it lies in; nil: that is not on record.
        public let databaseID: String?
        /// When the version that it shows was last edited in Keep.
        public let keepModifiedAt: Date
        public let lastWrittenAt: Date
    }

    /// A write that is open or of unknown outcome.
    public struct Write: Sendable {
        /// `create` or `update`.
        public let operation: String
        public let jobID: JobID
        public let sentAt: Date
        /// When the version that it is of was last edited in Keep.
        public let keepModifiedAt: Date
        /// Whether its worker may still hear of it.
        public let isUnderWay: Bool
        /// Until then; nil: nobody will hear of it.
        public let openUntil: Date?
        /// When its outcome was found to be unknown; nil: it was not.
        public let unknownAt: Date?
        public let unknownCount: Int
        /// `retry` or `hold`, as an operator has said.
        public let resolution: String?
        public let reason: String?
    }

    /// A request of which nothing was heard, and that was followed by another.
    public struct Request: Sendable {
        public let operation: String
        public let sentAt: Date
        public let jobID: JobID
        /// Whether it may have made a page beside the note's own.
        public let isSurplus: Bool
    }

    /// A page beside the note's own.
    public struct OtherPage: Sendable {
        public let id: String
        public let foundAt: Date
        public let jobID: JobID
    }

    /// A line about the note in the log of a job.
    public struct Line: Sendable {
        public let time: Date
        public let level: String
        public let message: String
        public let jobID: JobID
    }

    public let page: Page?
    public let write: Write?
    public let failure: FailedNote?
    /// The first ones.
    public let requests: [Request]
    public let otherPages: [OtherPage]
    /// The newest first.
    public let lines: [Line]

    /// Whether nothing at all is on record.
    public var isEmpty: Bool {
        page == nil && write == nil && failure == nil && requests.isEmpty && otherPages.isEmpty && lines.isEmpty
    }

    private static let mostRows = 100
    /// Jobs of the user whose logs are read, and lines of them.
    private static let jobsRead = 20
    private static let mostLines = 20

    /// Reads it, by index.
    ///
    /// - Throws: `PostgresError`.
    public init(of note: String, user: UserID, pool: PostgresPool) async throws {
        let rows = try await pool.batch([
            .page(ofNote: note, user: user), .write(ofNote: note, user: user),
            .unheardRequests(ofNote: note, user: user, limit: Self.mostRows),
            .surplusPages(ofNote: note, user: user, limit: Self.mostRows),
        ])
        page = try rows[0].first.map(Page.init)
        write = try rows[1].first.map(Write.init)
        requests = try rows[2].map(Request.init)
        otherPages = try rows[3].map(OtherPage.init)
        failure = try await FailedNotes(pool: pool).list(user: user, note: note, limit: 1).first
        let jobs = [write?.jobID, failure?.jobID].compactMap(\.self) + requests.map(\.jobID) + otherPages.map(\.jobID)
        let query = PostgresQuery.logLines(
            ofNote: note,
            user: user,
            jobs: Array(jobs.prefix(Self.jobsRead)),
            newest: Self.jobsRead,
            limit: Self.mostLines
        )
        lines = try await pool.query(query).map(Line.init)
    }
}

extension NoteLife.Page {
    fileprivate init(_ row: PostgresRow) throws {
        id = try row.decode("notion_page_id")
        databaseID = try row.decode("notion_database_id")
        keepModifiedAt = try row.decode("keep_modified_at")
        lastWrittenAt = try row.decode("last_synced_at")
    }
}

extension NoteLife.Write {
    fileprivate init(_ row: PostgresRow) throws {
        operation = try row.decode("operation")
        jobID = JobID(try row.decode("job_id", as: UUID.self))
        sentAt = try row.decode("created_at")
        keepModifiedAt = try row.decode("keep_modified_at")
        isUnderWay = try row.decode("is_under_way")
        openUntil = try row.decode("open_until")
        unknownAt = try row.decode("unknown_at")
        unknownCount = try row.decode("unknown_count")
        resolution = try row.decode("resolution")
        reason = try row.decode("reason")
    }
}

extension NoteLife.Request {
    fileprivate init(_ row: PostgresRow) throws {
        operation = try row.decode("operation")
        sentAt = try row.decode("sent_at")
        jobID = JobID(try row.decode("job_id", as: UUID.self))
        isSurplus = try row.decode("is_surplus")
    }
}

extension NoteLife.OtherPage {
    fileprivate init(_ row: PostgresRow) throws {
        id = try row.decode("notion_page_id")
        foundAt = try row.decode("found_at")
        jobID = JobID(try row.decode("job_id", as: UUID.self))
    }
}

extension NoteLife.Line {
    fileprivate init(_ row: PostgresRow) throws {
        time = try row.decode("created_at")
        level = try row.decode("level")
        message = try row.decode("message")
        jobID = JobID(try row.decode("job_id", as: UUID.self))
    }
}
