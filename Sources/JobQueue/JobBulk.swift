internal import Foundation
internal import Postgres

/// What has become of one of many jobs that were to be changed.
public enum BulkOutcome: String, Sendable {
    /// It was changed as asked.
    case done
    /// It was changed or deleted by others since it was found.
    case changed
    /// Its user has another job queued or running.
    case busy
    /// Another session has it locked.
    case locked
}

/// The jobs that a change of many is to be made to.
public struct BulkSelection: Sendable {
    /// Of a job, what the change goes by.
    public struct Job: Sendable {
        public let id: JobID
        public let user: UserID
    }

    /// The newest first.
    public fileprivate(set) var jobs: [Job] = []
    /// Jobs left out, as a newer one of the same user is among the others.
    public fileprivate(set) var olderJobs = 0
    /// Jobs left out, as their users have another queued or running.
    public fileprivate(set) var busyJobs = 0
    /// Whether there may be more than were looked for.
    public fileprivate(set) var isPartial = false

    /// How many users they are of.
    public var users: Int { Set(jobs.map(\.user)).count }
}

extension JobClient {
    /// Jobs that are changed with one statement.
    public static let bulkStep = 100
    private static let foundAtOnce = 500

    /// The jobs that meet one of some filters, for ``retry(_:from:isOnePerUser:)`` and ``cancel(_:from:)``.
    ///
    /// - Parameters:
    ///   - isOnePerUser: take the newest job of each user only, and none of a user who has another queued or running.
    ///   - limit: how many are looked for at most.
    /// - Throws: `PostgresError`.
    public func select(_ filters: [JobFilter], isOnePerUser: Bool, limit: Int) async throws -> BulkSelection {
        var selection = BulkSelection()
        var seen: Set<UserID> = []
        for filter in filters {
            var cursor: JobCursor?
            repeat {
                let page = try await page(filter, after: cursor, limit: Self.foundAtOnce)
                cursor = page.next
                let jobs = isOnePerUser ? page.jobs.filter { seen.insert($0.userID).inserted } : page.jobs
                selection.olderJobs += page.jobs.count - jobs.count
                let busy = isOnePerUser ? try await busyUsers(among: jobs.map(\.userID)) : []
                let free = jobs.filter { !busy.contains($0.userID) }
                selection.busyJobs += jobs.count - free.count
                selection.jobs += free.map { BulkSelection.Job(id: $0.id, user: $0.userID) }
                if selection.jobs.count > limit {
                    selection.jobs = Array(selection.jobs.prefix(limit))
                    selection.isPartial = true
                    return selection
                }
            } while cursor != nil
        }
        return selection
    }

    private func busyUsers(among users: [UserID]) async throws -> Set<UserID> {
        guard !users.isEmpty else { return [] }
        return Set(try await pool.query(.busyUsers(among: users)).map { UserID(try $0.decode("user_id")) })
    }

    /// Puts ended jobs into the queue again, as ``retry(_:dueIn:lockTimeout:)`` does with one, each due after its delay
    /// by the database's clock: ``bulkStep`` of them at most.
    ///
    /// - Parameters:
    ///   - statuses: those that the jobs were found with.
    ///   - isOnePerUser: leave out a job whose user has another queued or running by now.
    /// - Throws: `PostgresError`.
    public func retry(
        _ jobs: [(id: JobID, delay: Duration)],
        from statuses: [JobStatus],
        isOnePerUser: Bool
    ) async throws -> [JobID: BulkOutcome] {
        try await change(.retry(jobs, from: statuses, isOnePerUser: isOnePerUser))
    }

    /// Cancels jobs that have not ended, as ``cancel(_:lockTimeout:)`` does with one: ``bulkStep`` of them at most.
    ///
    /// - Parameter statuses: those that the jobs were found with.
    /// - Throws: `PostgresError`.
    public func cancel(_ jobs: [JobID], from statuses: [JobStatus]) async throws -> [JobID: BulkOutcome] {
        try await change(.cancel(jobs, from: statuses))
    }

    private func change(_ query: PostgresQuery) async throws -> [JobID: BulkOutcome] {
        let rows = try await pool.query(query)
        return Dictionary(
            try rows.map { row in
                (JobID(try row.decode("job_id")), BulkOutcome(rawValue: try row.decode("outcome")) ?? .changed)
            }
        ) { _, last in last }
    }
}
