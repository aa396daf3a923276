internal import Foundation
internal import Logging
internal import Postgres
import Support

/// Deletes what finished long ago, in small batches with pauses between, so that it never holds up anyone. One worker
/// does it at a time, so all together take no more of the server than one.
struct Pruner: Sendable {
    let pool: PostgresPool
    let configuration: JobWorkerConfiguration
    let logger: Logger
    var pace = Pace()

    /// What pruning may take of the server.
    struct Pace: Sendable {
        /// A statement that takes longer is cancelled, and made again with less.
        var timeout = Duration.seconds(10)
        /// As long as a statement should take; the next one does half as much after one that took longer.
        var target = Duration.milliseconds(500)
        /// The pause after a statement, by its duration: three quarters of the time are others'.
        var pauseFactor = 3.0
        /// Time from one walk over what is old enough to the next, give or take a fifth.
        var interval = Duration.seconds(600)
    }

    /// What was deleted.
    struct Total: Sendable {
        var jobs = 0
        var lines = 0
        /// Jobs that the database does not let go, and why.
        var refused = 0
        var refusal: (job: JobID, error: PostgresError)?
    }

    func run() async {
        while !Task.isCancelled {
            do {
                let total = try await prune()
                if total.jobs + total.lines > 0 {
                    logger.info("Deleted old jobs.", metadata: ["jobs": "\(total.jobs)", "logs": "\(total.lines)"])
                }
                if let refusal = total.refusal {
                    logger.warning(
                        "Old jobs that can't be deleted stay. Something refers to them or forbids it, or another session has them locked.",
                        metadata: [
                            "jobs": "\(total.refused)", "job": "\(refusal.job)", "error": "\(refusal.error)",
                        ]
                    )
                }
            } catch {
                if Task.isCancelled { break }
                logger.warning("Deleting old jobs failed; it is tried again later.", metadata: ["error": "\(error)"])
            }
            // Cancellation ends the loop above.
            try? await DeadlineQueue.shared.sleep(for: pace.interval * Double.random(in: 0.8...1.2))
        }
        await giveTurnBack()
    }

    /// A worker that stops in the middle of a backlog leaves it to another at once.
    private func giveTurnBack() async {
        do {
            try await uncancellable { [pool, instance = configuration.instance] in
                _ = try await pool.execute(.givePruningBack(instance))
            }
        } catch {
            logger.debug("The next worker deletes old jobs a minute later.", metadata: ["error": "\(error)"])
        }
    }

    /// Walks once over what is old enough, or as far as it is this worker's turn.
    func prune() async throws -> Total {
        var total = Total()
        var position: JobCursor?
        var batch = PruneBatch()
        while !Task.isCancelled, try await isOurTurn() {
            let began = ContinuousClock.now
            let isOver = try await step(&batch, from: &position, &total)
            if isOver { break }
            try await DeadlineQueue.shared.sleep(for: (ContinuousClock.now - began) * pace.pauseFactor)
        }
        try await pool.execute(.pruneWorkers())
        try await pool.execute(.pruneStoppedWorkers())
        try await pool.execute(.pruneThroughput())
        return total
    }

    private func isOurTurn() async throws -> Bool {
        // As long as the turn is held after a worker has died with it.
        let lease = pace.timeout * 6
        return try await !pool.query(.takePruning(configuration.instance, lease: lease)).isEmpty
    }

    /// Deletes a batch, and makes the next one as large as this one shows that it may be.
    ///
    /// - Returns: whether nothing is left behind it.
    private func step(_ batch: inout PruneBatch, from position: inout JobCursor?, _ total: inout Total) async throws
        -> Bool
    {
        let began = ContinuousClock.now
        do {
            let rows = try await pool.query(query(batch, after: position), timeout: .after(pace.timeout))
            guard let row = rows.first else { return true }
            total.jobs += try row.decode("jobs", as: Int.self)
            total.lines += try row.decode("lines", as: Int.self)
            let walked = try row.decode("walked", as: Int.self)
            // With lines left, the same jobs come again.
            guard try row.decode("is_whole") else { return false }
            guard walked == batch.jobs, let last = try Self.last(of: row) else { return true }
            position = last
            batch.adapt(to: ContinuousClock.now - began, target: pace.target)
            return false
        } catch let error as PostgresError where error.isTimeout && !batch.isSmallest {
            batch.shrink()
            logger.info(
                "Deleting old jobs takes long; going on with fewer at a time.",
                metadata: ["jobs": "\(batch.jobs)", "logs": "\(batch.lines)"]
            )
            return false
        } catch let error as PostgresError
            where error.isRefusal || error.isTimeout || error.sqlState == .lockNotAvailable
        {
            // Smaller and smaller, until the one is alone that something refers to, or that somebody has locked.
            guard batch.jobs == 1 else {
                batch.jobs = max(1, batch.jobs / 4)
                return false
            }
            let rows = try await pool.query(query(batch, after: position, deletes: false))
            guard let last = try rows.first.flatMap(Self.last) else { return true }
            total.refused += 1
            if total.refusal == nil { total.refusal = (last.id, error) }
            position = last
            batch.jobs = 2
            return false
        }
    }

    private func query(_ batch: PruneBatch, after position: JobCursor?, deletes: Bool = true) -> PostgresQuery {
        .prune(
            retention: configuration.retention,
            keepsTakenOver: configuration.keepsTakenOverJobs,
            after: position,
            batch: batch,
            deletes: deletes
        )
    }

    /// The last job that a statement has read.
    private static func last(of row: PostgresRow) throws -> JobCursor? {
        guard let id = try row.decode("last_job_id", as: UUID?.self) else { return nil }
        let createdAt: PostgresInstant = try row.decode("last_created_at")
        return JobCursor(microseconds: createdAt.microseconds, id: JobID(id))
    }
}

/// How much a statement deletes at most.
struct PruneBatch: Sendable, Equatable {
    /// Jobs to read, with those that are not to be deleted.
    var jobs = Self.most.jobs
    /// Lines of their logs.
    var lines = Self.most.lines

    private static let most = (jobs: 500, lines: 5000)

    var isSmallest: Bool { jobs == 1 && lines == 1 }

    /// After one that did not end in time.
    mutating func shrink() {
        jobs = max(1, jobs / 4)
        lines = max(1, lines / 4)
    }

    mutating func adapt(to duration: Duration, target: Duration) {
        if duration > target {
            jobs = max(1, jobs / 2)
            lines = max(1, lines / 2)
        } else if duration < target / 4 {
            jobs = min(Self.most.jobs, jobs * 2)
            lines = min(Self.most.lines, lines * 2)
        }
    }
}

extension PostgresError {
    /// Whether the statement took too long, by the client's limit or by one of the role's.
    fileprivate var isTimeout: Bool { code == .queryTimedOut || sqlState == .queryCanceled }
}
