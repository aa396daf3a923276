public import Foundation
public import JobQueue
public import Postgres

/// A write to Notion that may or may not have happened.
public struct UnknownWrite: Sendable {
    public let userID: UserID
    public let noteID: String
    /// `create` or `update`.
    public let operation: String
    /// The page of an update.
    public let pageID: String?
    /// Sent with every try of a create.
    public let idempotencyKey: UUID
    /// The Notion database it was sent to; nil: none is on record.
    public let databaseID: String?
    /// When each of its requests whose outcome is not known was sent, the first one first; never empty.
    public let sentAt: [Date]
    /// Until then its worker may still hear of it; nil: nobody will.
    public let openUntil: Date?
    /// What becomes of it by itself.
    public let next: Next
    /// Until when it waits for another call of the writer to succeed, for an edit of its note or for an operator's
    /// retry: it was sent in vain to find out whether the writer is well. From then on the user's next sync sends it
    /// all the same. nil: it waits for none of them, or not by itself.
    public let waitsUntil: Date?
    /// Whether ``next`` is what the given policy and limit say, and neither an operator nor a worker has recorded it.
    public let followsSettings: Bool
    /// Requests sent for it whose outcome is unknown.
    public let count: Int
    /// Of those, the ones that count against the limit: probes of an outage do not.
    public let unknownCount: Int
    /// An operator's word that it is to be sent again, or held.
    public let resolution: SyncConfiguration.UnknownCreates?
    public let reason: String?
    public let jobID: JobID

    /// What becomes of an unknown write by itself.
    public enum Next: String, Sendable {
        /// Nothing before ``UnknownWrite/openUntil``: its worker may still hear of it.
        case underWay = "under_way"
        /// The user's next sync sends it again.
        case sentAgain = "sent_again"
        /// The user's next sync takes it off the list and leaves it among the surplus pages: the note has another page.
        case superseded
        /// Nothing: it waits for an operator.
        case held
    }
}

/// A page beside the one its note has: its request was answered after another had made the note's page. Or a create of
/// unknown outcome that may have made one.
public struct SurplusPage: Sendable {
    /// What stands for the id of a page that there may be.
    public static let unknown = "unknown"

    public let userID: UserID
    public let noteID: String
    /// ``unknown`` where no answer has named it.
    public let pageID: String
    /// The Notion database it lies in.
    public let databaseID: String
    public let idempotencyKey: UUID
    public let jobID: JobID
    public let foundAt: Date
    /// When the create was sent, of a page that there may be.
    public let sentAt: Date?
    /// The page that a person has named as made by one of the note's creates, of which nobody knows which it was; nil:
    /// this create is not one of them.
    public let settledPageID: String?
    /// The note's own page, which is not to be touched; nil: it has none.
    public let notePageID: String?
}

/// The writes whose outcome is unknown, for an operator to look at and to settle.
///
/// Touches no write that is under way, which its worker may still hear of. What is settled takes effect with the user's
/// next sync.
public struct UnknownWrites: Sendable {
    /// Once each note in doubt was sent in vain to find out whether the writer is well, one of a user's is sent for
    /// that again after so long. It is the last time: the note is held then if the outcome is unknown once more, and
    /// an outage is to leave none held. What others write, or the user's next edit, shows far sooner that it is over.
    static let trialInterval = Duration.seconds(6 * 3600)

    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// All of them, or a user's, those sent first at the head.
    ///
    /// - Parameters:
    ///   - policy: what the workers do with a write that no operator has decided about.
    ///   - limit: unknown outcomes of a note after which the workers hold it. A note that a worker has recorded as held
    ///     is held whatever is said here.
    ///   - most: how many are read; nil: all.
    public func list(
        user: UserID? = nil,
        policy: SyncConfiguration.UnknownCreates = .retry,
        limit: Int = SyncConfiguration().unknownLimit,
        most: Int? = nil
    ) async throws -> [UnknownWrite] {
        let query = PostgresQuery.unknownWrites(user: user, areHeldByDefault: policy == .hold, limit: limit, most: most)
        return try await pool.query(query).map { row in
            UnknownWrite(
                userID: UserID(try row.decode("user_id")),
                noteID: try row.decode("keep_note_id"),
                operation: try row.decode("operation"),
                pageID: try row.decode("notion_page_id"),
                idempotencyKey: try row.decode("idempotency_key"),
                databaseID: try row.decode("notion_database_id"),
                sentAt: try row.decode("sent_at"),
                openUntil: try row.decode("open_until"),
                next: UnknownWrite.Next(rawValue: try row.decode("next")) ?? .held,
                waitsUntil: try row.decode("waits_until"),
                followsSettings: try row.decode("follows_settings"),
                count: try row.decode("count"),
                unknownCount: try row.decode("unknown_count"),
                resolution: try row.decode("resolution", as: String?.self).flatMap(
                    SyncConfiguration.UnknownCreates.init
                ),
                reason: try row.decode("reason"),
                jobID: JobID(try row.decode("job_id", as: UUID.self))
            )
        }
    }

    /// How many writes are under way, of all users or of one. Of one whose worker has died nothing is known until its
    /// lease is over.
    public func countUnderWay(user: UserID? = nil) async throws -> Int {
        try await pool.query(.countWritesUnderWay(user: user)).first?.decode("count") ?? 0
    }

    /// How many writes of unknown outcome a job has left behind, as they are listed.
    public func count(leftBehindBy job: JobID, user: UserID) async throws -> Int {
        try await pool.query(.countUnknownWrites(of: job, user: user)).first?.decode("count") ?? 0
    }

    /// How many writes of unknown outcome a user has.
    public func count(user: UserID) async throws -> Int {
        try await pool.query(.countUnknownWrites(of: user)).first?.decode("count") ?? 0
    }

    /// Until when a write is under way; nil: there is none, or it is not.
    public func openUntil(user: UserID, note: String) async throws -> Date? {
        try await pool.query(.writeUnderWay(user: user, note: note)).first?.decode("open_until")
    }

    /// The surplus pages of all users, or of one, the oldest first: one for each request that has made one or may have.
    public func surplusPages(user: UserID? = nil) async throws -> [SurplusPage] {
        try await pool.query(.surplusPages(user: user)).map { row in
            SurplusPage(
                userID: UserID(try row.decode("user_id")),
                noteID: try row.decode("keep_note_id"),
                pageID: try row.decode("notion_page_id"),
                databaseID: try row.decode("notion_database_id"),
                idempotencyKey: try row.decode("idempotency_key"),
                jobID: JobID(try row.decode("job_id", as: UUID.self)),
                foundAt: try row.decode("found_at"),
                sentAt: try row.decode("sent_at"),
                settledPageID: try row.decode("settled_page"),
                notePageID: try row.decode("note_page")
            )
        }
    }

    /// Forgets a surplus page that has been seen to.
    ///
    /// - Parameter page: ``SurplusPage/unknown`` for all of the note whose ids are not known.
    /// - Returns: how many were on record.
    public func forgetSurplusPage(user: UserID, note: String, page: String) async throws -> Int {
        try await pool.execute(
            page == SurplusPage.unknown
                ? .forgetUnheardRequests(user: user, note: note)
                : .forgetSurplusPage(user: user, note: note, page: page)
        )
    }

    /// Lets the user's next sync send the write again, a create with the same key.
    ///
    /// - Returns: how many pages its requests may have made, none of an update; nil: there is no such write, or it is
    ///   under way.
    public func retry(user: UserID, note: String) async throws -> Int? {
        try await pool.query(.retryUnknownWrite(user: user, note: note)).first?.decode("pages")
    }

    /// Records that the write has happened.
    ///
    /// - Parameter page: the page that was made, for a create; nil for an update.
    /// - Returns: how many further pages the note's creates may have made, which are surplus pages now; nil: there is
    ///   no such write, it is under way, or the page is another note's.
    public func settleAsWritten(user: UserID, note: String, page: String?) async throws -> Int? {
        try await pool.query(.settleUnknownWrite(user: user, note: note, page: page)).first?.decode("further")
    }

    /// The note that a page is on record for, as its own or as a surplus one, if that is another than this.
    public func otherOwner(of page: String, user: UserID, note: String) async throws -> (user: UserID, note: String)? {
        guard let row = try await pool.query(.otherOwners(of: page, user: user, note: note)).first else { return nil }
        return (UserID(try row.decode("user_id")), try row.decode("keep_note_id"))
    }

    /// Records that the write has not happened, by none of its requests; the next sync makes it, a create with a new
    /// key.
    ///
    /// - Returns: the number of requests; nil: there is no such write, or it is under way.
    public func settleAsNotWritten(user: UserID, note: String) async throws -> Int? {
        try await pool.query(.dropUnknownWrite(user: user, note: note)).first?.decode("requests")
    }
}
