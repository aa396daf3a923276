public import Foundation
public import Postgres

/// The queue as its users see it: put jobs in, look at them, cancel and retry them. Runs none.
public struct JobClient: Sendable {
    let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// Puts a job into the queue.
    ///
    /// - Parameters:
    ///   - id: what it is to be called, for a caller who has to name it also where no answer comes.
    ///   - priority: -100 to 100, smaller runs first; 0 is what the gateway uses.
    ///   - runAt: when it becomes due; nil for now.
    ///   - isForced: whether it runs although its user, or everything, is paused.
    @discardableResult
    public func enqueue(
        _ id: JobID = JobID(),
        user: UserID,
        fullSync: Bool,
        priority: Int = 0,
        runAt: Date? = nil,
        traceparent: String? = nil,
        isForced: Bool = false
    ) async throws -> JobID {
        try await pool.execute(
            .enqueue(
                id,
                user: user,
                fullSync: fullSync,
                priority: priority,
                runAt: runAt,
                traceparent: traceparent,
                isForced: isForced
            )
        )
        return id
    }

    /// A job by its identifier; nil when there is none.
    public func job(_ id: JobID) async throws -> JobRecord? {
        try await pool.query(.job(id)).first.map(JobRecord.init)
    }

    /// The jobs whose identifiers begin so, in their order, at most `limit`.
    public func ids(beginningWith prefix: JobIDPrefix, limit: Int) async throws -> [JobID] {
        try await pool.query(.jobs(beginningWith: prefix, limit: limit)).map { JobID(try $0.decode("job_id")) }
    }

    /// A page of the list of jobs, the newest first or behind `cursor`, of at most `limit` jobs.
    public func page(_ filter: JobFilter, after cursor: JobCursor? = nil, limit: Int) async throws -> JobPage {
        // One more than asked for tells whether there are more, which there can't be than the largest number.
        let query = PostgresQuery.jobs(filter, after: cursor, limit: min(limit, .max - 1) + 1)
        return try JobPage(try await pool.query(query), limit: limit)
    }

    /// The same of a user and a status; one that is nil matches all.
    public func page(
        user: UserID? = nil,
        status: JobStatus? = nil,
        after cursor: JobCursor? = nil,
        limit: Int
    ) async throws -> JobPage {
        let filter = JobFilter(user: user, statuses: status.map { [$0] } ?? [])
        return try await page(filter, after: cursor, limit: limit)
    }

    /// The newest jobs that meet a filter, at most `limit`. Reads as many pages as they stand on: all of the history for
    /// what no job has.
    public func jobs(_ filter: JobFilter, limit: Int) async throws -> [JobRecord] {
        var jobs: [JobRecord] = []
        var cursor: JobCursor?
        repeat {
            let page = try await page(filter, after: cursor, limit: limit - jobs.count)
            jobs += page.jobs
            cursor = page.next
        } while jobs.count < limit && cursor != nil
        return jobs
    }

    /// The same of a user and a status; one that is nil matches all.
    public func jobs(user: UserID? = nil, status: JobStatus? = nil, limit: Int) async throws -> [JobRecord] {
        try await jobs(JobFilter(user: user, statuses: status.map { [$0] } ?? []), limit: limit)
    }

    /// The newest jobs with a status, at most `limit`, among the newest `scanned` jobs of all; in no order.
    public func recentJobs(status: JobStatus, scanned: Int, limit: Int) async throws -> [JobRecord] {
        try await pool.query(.recentJobs(status: status, scanned: scanned, limit: limit)).map(JobRecord.init)
    }

    /// Jobs that workers run, at most `limit`, in no order.
    public func heldJobs(limit: Int) async throws -> [JobRecord] {
        try await pool.query(.heldJobs(limit: limit)).map(JobRecord.init)
    }

    /// The newest `limit` lines of a job's log, oldest first.
    public func logs(of id: JobID, limit: Int = 1000) async throws -> [JobLogLine] {
        try await pool.query(.logs(of: id, limit: limit)).map(JobLogLine.init)
    }

    /// A page of a job's log behind a line, the oldest first; the texts whole.
    ///
    /// - Parameter levels: those of the lines; nil: all.
    public func logs(
        of id: JobID,
        after line: Int64,
        levels: [String]? = nil,
        limit: Int
    ) async throws -> [JobLogLine] {
        try await pool.query(.logPage(of: id, after: line, levels: levels, limit: limit)).map(JobLogLine.init)
    }

    /// Cancels a job that has not ended. Its worker stops within a second.
    ///
    /// - Parameter lockTimeout: how long to wait for another session's lock of the job.
    /// - Throws: `JobQueueError`: `jobNotFound`, or `wrongStatus` when it has ended already; `PostgresError` with
    ///   SQLSTATE `lockNotAvailable`.
    public func cancel(_ id: JobID, lockTimeout: Duration = .seconds(25)) async throws {
        if try await pool.batch([.limitLockWait(lockTimeout), .cancel(id)]).last?.isEmpty ?? true {
            throw try await refusal(id) { "Job \(id) is \($0.status.rawValue) already; there is nothing to cancel." }
        }
    }

    /// Puts an ended job into the queue again with full budgets, or makes a waiting one due now.
    ///
    /// - Parameters:
    ///   - delay: in what time it becomes due, by the database's clock.
    ///   - lockTimeout: how long to wait for another session's lock of the job.
    /// - Throws: `JobQueueError`: `jobNotFound`, or `wrongStatus` while it is running; `PostgresError` with SQLSTATE
    ///   `lockNotAvailable`.
    public func retry(
        _ id: JobID,
        dueIn delay: Duration = .zero,
        lockTimeout: Duration = .seconds(25)
    ) async throws {
        if try await pool.batch([.limitLockWait(lockTimeout), .retry(id, dueIn: delay)]).last?.isEmpty ?? true {
            throw try await refusal(id) { job in
                job.isRunOutside
                    ? "Job \(id) was set to running from outside: no worker runs it, or ends it. If nothing else does, run: "
                        + "syncctl cancel \(id); then: syncctl retry \(id)"
                    : "Job \(id) is \(job.status.rawValue); cancel it first, or wait for its end."
            }
        }
    }

    /// Jobs that failed for good no longer ago than `age` because their attempts were used up, as in an outage; the
    /// oldest first, at most `limit`.
    public func exhausted(within age: Duration, limit: Int = 10_000) async throws -> [JobID] {
        try await pool.query(.exhaustedJobs(age: age, limit: limit)).map {
            JobID(try $0.decode("job_id", as: UUID.self))
        }
    }

    private func refusal(_ id: JobID, _ message: (JobRecord) -> String) async throws -> JobQueueError {
        guard let job = try await job(id) else {
            return JobQueueError(.jobNotFound, "There is no job \(id).")
        }
        return JobQueueError(.wrongStatus, message(job))
    }
}

extension JobRecord {
    /// Whether its status was set to running by something that is no worker. Whoever did that has to end it.
    public var isRunOutside: Bool { status == .running && worker == nil }
}

extension JobClient {
    /// The workers that have a row: those that run, and those that died and were not forgotten yet; by name.
    public func workers() async throws -> [WorkerRecord] {
        try await pool.query(.workers()).map(WorkerRecord.init)
    }

    /// The time by the database's clock, which decides when a job is due.
    public func databaseTime() async throws -> Date {
        guard let row = try await pool.query(.databaseTime()).first else { return Date() }
        return try row.decode("now")
    }

    /// Jobs whose record and queue row disagree, at most a thousand. Reads both tables. Workers repair them by and by.
    public func disagreements() async throws -> [QueueDisagreement] {
        try await pool.query(.disagreements()).map(QueueDisagreement.init)
    }
}
