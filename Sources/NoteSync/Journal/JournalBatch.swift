internal import Foundation
internal import JobQueue
internal import Postgres

/// Entries that are committed together, as the statements that do it.
struct JournalBatch: Sendable {
    private let entries: [JournalEntry]

    /// Requests that are to be begun: then the first statement's rows say which are.
    let begun: [Intent]
    /// Lines of the log: if there are any, the last statement writes them.
    let logs: [LogLine]

    init(_ entries: [JournalEntry]) {
        self.entries = entries
        begun = entries.compactMap(\.begun)
        logs = entries.flatMap(\.logs)
    }

    /// What comes before the statements: the notes of which other requests may be under way, so that nobody records
    /// what became of them at the same time. Who holds the lease sends the first request of a note, and settles the
    /// last one, alone.
    func locks(job: ClaimedJob, isHolder: Bool) -> [PostgresQuery] {
        let notes = entries.flatMap { entry in
            [
                entry.begun.flatMap { $0.replaced == nil ? nil : $0.noteID }, entry.withdrawn?.noteID,
                isHolder ? nil : entry.settled?.noteID,
            ]
        }
        let unique = Set(notes.compactMap(\.self))
        return unique.isEmpty ? [] : [.lockIntents(unique.sorted(), user: job.userID)]
    }

    /// The statements that have something to do, in an order in which nothing refers to what comes later. What pages
    /// show comes before their requests are settled, as an update's request proves that nothing was sent after it; and
    /// so does the word that an answer has come of which the log says that it is missing. Lines of the log come last,
    /// after `proof`: their foreign key waits for the job's record, which the proof has locked by then, with a limit.
    ///
    /// - Parameters:
    ///   - proof: that the lease is held; nil: it may not be, and only what became of requests is recorded.
    ///   - isLogged: whether the job's log takes lines.
    func statements(job: ClaimedJob, proof: PostgresQuery? = nil, isLogged: Bool = true) -> [PostgresQuery] {
        let user = job.userID
        let pages = entries.compactMap(\.page)
        var statements: [PostgresQuery] = []
        func add<Item>(_ items: [Item], _ statement: ([Item]) -> PostgresQuery) {
            if !items.isEmpty { statements.append(statement(items)) }
        }
        add(begun) { .beginIntents($0, user: user, job: job.id, lease: job.lease) }
        add(pages.compactMap(CreatedPage.init)) {
            .recordCreatedPages($0, user: user, job: job.id, areLate: proof == nil)
        }
        add(pages.compactMap(UpdatedPage.init)) { .recordUpdatedPages($0, user: user) }
        add(pages.filter(\.isFound)) { .recordFoundPages($0, user: user) }
        let settled = entries.flatMap { [$0.settled, $0.withdrawn].compactMap(\.self) }
        if proof == nil, isLogged { add(settled) { .tellLateAnswers($0, user: user, job: job.id) } }
        add(entries.compactMap(\.unknown)) { .markUnknown($0, user: user) }
        add(entries.compactMap(\.settled)) { .settleIntents($0, user: user) }
        add(entries.compactMap(\.withdrawn)) { .withdrawIntents($0, user: user) }
        // Who holds the lease has the latest request of each note.
        if proof == nil { add(settled) { .forgetUnheardRequests($0, user: user) } }
        add(entries.compactMap(\.superseded)) { .supersedeIntents($0, user: user) }
        // In the order of the trigger that runs when somebody deletes states: the cursor, then the list of failed
        // notes.
        add(entries.compactMap(\.cursor)) { .moveCursor($0[0], user: user) }
        add(entries.compactMap(\.failure)) { .rememberFailures($0, user: user, job: job.id) }
        add(entries.compactMap(\.clearedFailure)) { .forgetFailures($0, user: user, job: job.id) }
        add(entries.compactMap(\.cursor).flatMap(\.vanishedFailures)) { .forgetVanishedFailures($0, user: user) }
        if let proof { statements.append(proof) }
        add(logs) { .insertLogs($0, job: job.id) }
        return statements
    }
}

extension PageRecord {
    fileprivate var isFound: Bool { if case .found = origin { true } else { false } }
}

/// A page that a request has made.
struct CreatedPage: Sendable {
    let record: PageRecord
    let request: RequestID
    let key: UUID
    let replaced: String?

    init?(_ record: PageRecord) {
        guard case .created(let request, let key, let replaced) = record.origin else { return nil }
        self.record = record
        self.request = request
        self.key = key
        self.replaced = replaced
    }
}

/// A page that a request has updated.
struct UpdatedPage: Sendable {
    let record: PageRecord
    let request: RequestID

    init?(_ record: PageRecord) {
        guard case .updated(let request) = record.origin else { return nil }
        self.record = record
        self.request = request
    }
}
