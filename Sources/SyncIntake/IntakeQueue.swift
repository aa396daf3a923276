import JobQueue
import Postgres
import ServiceHealth
import StatusAPI
import Support

/// The two changes that callers ask for, by plain SQL on `sync_jobs`.
struct IntakeQueue: Sendable {
    let reader: DatabaseReader
    /// Connections of starts alone: aborts that wait for a row, and readers, cannot keep a start from one.
    let starts: PostgresPool

    /// The outcome of a cancellation.
    enum Cancellation: Sendable, Equatable {
        case cancelled
        /// It had ended before.
        case ended(JobStatus)
        case notFound
    }

    /// Longest time of one try, so that a connection that has gone silent leaves time for new ones.
    private static let tryTimeout = Duration.seconds(1)
    /// Longest time a start occupies a connection while it waits for another session's lock; it is tried again.
    private static let startLockTimeout = Duration.milliseconds(250)
    private static let cancelLockTimeout = Duration.seconds(1)
    private static let retryDelay = Duration.milliseconds(100)

    /// Puts a job into the queue, and leaves one that is in the table already as it is. What this returns is durable.
    ///
    /// A try whose answer is lost is made again: the job's identifier makes two of it one. Where the row is there
    /// already, by an earlier try or another caller, its commit may not have been replicated yet: this one waits for
    /// that too.
    ///
    /// - Returns: whether there was no such job.
    /// - Throws: `DatabaseAway` if the database cannot be used before `deadline`, or refuses for a reason that does not
    ///   pass.
    func enqueue(_ start: StartRequest, until deadline: ContinuousClock.Instant) async throws -> Bool {
        let pool = starts
        var mayBeDone = false
        while true {
            do {
                return try await within(min(Self.tryTimeout, max(.zero, deadline - .now))) {
                    let rows = try await pool.batch([
                        .limitLockWait(Self.startLockTimeout), .enqueue(start), .awaitDurability(),
                    ])
                    return !rows[1].isEmpty
                }
            } catch let error as PostgresError where !error.isPassing {
                throw DatabaseAway(cause: error, mayHaveTakenEffect: mayBeDone)
            } catch let error where error is PostgresError || error is TimeLimitPassed {
                if error is TimeLimitPassed { pool.discardIdleConnections() }
                if DatabaseAway(cause: error).ofChange.mayHaveTakenEffect { mayBeDone = true }
                guard ContinuousClock.now + Self.retryDelay < deadline else {
                    throw DatabaseAway(cause: error, mayHaveTakenEffect: mayBeDone)
                }
                try await DeadlineQueue.shared.sleep(for: Self.retryDelay)
            }
        }
    }

    /// Cancels a job that has not ended; a worker that runs it stops within a second.
    ///
    /// - Throws: `DatabaseAway`, at once.
    func cancel(_ job: JobID) async throws -> Cancellation {
        let jobs = reader.jobs
        do {
            return try await reader.read { pool in
                let rows = try await pool.batch([.limitLockWait(Self.cancelLockTimeout), .cancelAsCalled(job)])
                if rows.last?.isEmpty == false { return .cancelled }
                return try await jobs.job(job).map { .ended($0.status) } ?? .notFound
            }
        } catch let error as DatabaseAway {
            throw error.ofChange
        }
    }
}

extension PostgresError {
    /// Whether the same statement may succeed a moment later: the server is away, starts, fails over, or is busy.
    fileprivate var isPassing: Bool {
        isRetryable || isConnectionFailure
    }
}
