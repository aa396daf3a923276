internal import Foundation
internal import JobQueue
internal import Postgres

/// Entries that are committed together, as the statements that do it.
struct JournalBatch: Sendable {
    private let entries: [JournalEntry]

    init(_ entries: [JournalEntry]) {
        self.entries = entries
    }

    /// The statements that have something to do, in an order in which nothing refers to what comes later.
    func statements(job: ClaimedJob) -> [PostgresQuery] {
        let user = job.userID
        let pages = entries.compactMap(\.page)
        var statements: [PostgresQuery] = []
        func add<Item>(_ items: [Item], _ statement: ([Item]) -> PostgresQuery) {
            if !items.isEmpty { statements.append(statement(items)) }
        }
        add(entries.compactMap(\.begun)) { .beginIntents($0, user: user, job: job.id, lease: job.lease) }
        add(entries.compactMap(\.unknown)) { .markUnknown($0, user: user) }
        add(entries.compactMap(\.settledIntent)) { .settleIntents($0, user: user) }
        add(entries.compactMap(\.withdrawnIntent)) { .withdrawIntents($0, user: user) }
        add(pages.filter { !$0.isKnown }) { .insertPages($0, user: user) }
        add(pages.filter(\.isKnown)) { .updatePages($0, user: user) }
        add(entries.compactMap(\.failure)) { .rememberFailures($0, user: user, job: job.id) }
        add(entries.compactMap(\.clearedFailure)) { .forgetFailures($0, user: user) }
        add(entries.compactMap(\.cursor).flatMap(\.vanishedFailures)) { .forgetFailures($0, user: user) }
        add(entries.compactMap(\.cursor).filter { $0.modifiedAt != nil }) { .moveCursor($0[0], user: user) }
        add(entries.flatMap(\.logs)) { .insertLogs($0, job: job.id) }
        return statements
    }
}
