internal import Foundation
internal import Logging
internal import Postgres
import Support

/// A job that ended as `failed`.
public struct FailedJob: Sendable {
    public let id: JobID
    public let userID: UserID
    public let error: String
}

/// Gives the jobs of dead workers to the queue again. Every worker does it; SKIP LOCKED keeps them apart.
struct Rescuer: Sendable {
    let pool: PostgresPool
    let configuration: JobWorkerConfiguration
    let logger: Logger
    let wake: Wakeup
    let dueTimes: DueTimes
    let unparker: Unparker
    let clock: DatabaseClock
    /// Whether the database has been there long enough for other workers to have said that they are.
    let isSettled: @Sendable () -> Bool
    /// Whether it has only just come back, for this worker as well: workers that live are to say so before their jobs
    /// are taken for those of dead ones.
    var isReturning: @Sendable () -> Bool = { false }
    let onFailure: @Sendable (FailedJob) async -> Void
    private let refused = RefusedLeases()
    private let refusal = RecurringWarning(
        "The database does not let a job be given to the queue again; it is passed over for some minutes.",
        interval: .seconds(10)
    )
    private let lostNotices = RecurringWarning(
        "The database refuses what is to be told of a job that is given to the queue again; it is given back all the same.",
        interval: .seconds(10)
    )

    private let overdue = RecurringWarning(
        "A job can't be given to the queue again: its record is locked by another session, or a trigger keeps it from being changed."
    )

    private static let batch = 100
    /// Records compared with the queue at a time: some milliseconds of the server.
    private static let repairStep = 2000

    func run() async {
        while !Task.isCancelled {
            if !isReturning() {
                await attempt("Looking for jobs of dead workers failed.") {
                    guard try await clock.isSteady(pool, logger) else { return }
                    while try await rescueAll() == Self.batch {}
                    try await tellOfOverdue()
                }
            }
            await attempt("Ending the pauses whose time is over failed.") { try await PauseEnds.endAll(pool) }
            await attempt("Looking for parked jobs that nobody brings back failed.") {
                try await pool.execute(.unparkStranded())
            }
            await attempt("Comparing the queue with its records failed.") { try await repair() }
            // An expired lease waits for half a lease at most, a sixth of it with three workers.
            let interval = isSettled() ? configuration.lease / 2 : LeaseKeeper.settling(configuration.lease)
            // Cancellation ends the loop above.
            try? await DeadlineQueue.shared.sleep(for: interval * Double.random(in: 0.8...1.2))
        }
    }

    /// One that fails keeps the others from nothing.
    private func attempt(_ failure: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            if Task.isCancelled { return }
            logger.warning("\(failure)", metadata: ["error": "\(error)"])
        }
    }

    private func rescueAll() async throws -> Int {
        do {
            return try await rescue()
        } catch let error as PostgresError where error.isRefusal || error.sqlState == .lockNotAvailable {
            try await rescueSingly()
            return 0
        }
    }

    /// What a rescue passes over again and again.
    private func tellOfOverdue() async throws {
        let row = try await pool.query(.overdueLease(by: configuration.lease, except: refused.current)).first
        guard let row else { return }
        overdue.log(
            logger,
            ["job": "\(JobID(try row.decode("job_id")))", "user": "\(try row.decode("user_id", as: String.self))"]
        )
    }

    /// Where the database refuses one of the records, as a constraint or trigger of somebody else's does, the others
    /// are rescued without it. If the line in the log is what it refuses, or the alert, the job is rescued without
    /// that.
    ///
    /// So it is with what waits for a lock.
    private func rescueSingly() async throws {
        var last = Lease(.min)
        var lock: PostgresError?
        var isMore = true
        while isMore, !Task.isCancelled {
            let rows = try await pool.query(.expiredLeases(after: last, limit: Self.batch, except: refused.current))
            for row in rows {
                // Heartbeats may fail by now as this did.
                guard !isReturning() else { return }
                last = Lease(try row.decode("lease"))
                if let error = try await refusal(of: last, JobID(try row.decode("job_id"))) {
                    guard error.sqlState != .lockNotAvailable else {
                        lock = error
                        continue
                    }
                    refused.add(last)
                    refusal.log(logger, ["job": "\(JobID(try row.decode("job_id")))", "error": "\(error)"])
                }
            }
            isMore = rows.count == Self.batch
        }
        if let lock { throw lock }
    }

    /// Rescues a job with less and less said of it.
    ///
    /// - Returns: why the database does not let it be; nil if it is rescued.
    private func refusal(of lease: Lease, _ job: JobID) async throws -> PostgresError? {
        var reason: PostgresError?
        for notices in [RescueNotices.all, .alert, []] {
            do {
                _ = try await rescue(only: lease, with: notices)
                if let reason { lostNotices.log(logger, ["job": "\(job)", "error": "\(reason)"]) }
                return nil
            } catch let error as PostgresError where error.isRefusal || error.sqlState == .lockNotAvailable {
                reason = error
            }
        }
        return reason
    }

    private func rescue(only lease: Lease? = nil, with notices: RescueNotices = .all) async throws -> Int {
        let (rows, unparked) = try await pool.withTransaction { connection in
            let query = PostgresQuery.rescue(
                limit: Self.batch,
                isSettled: isSettled(),
                only: lease,
                except: refused.current,
                with: notices
            )
            let rows = try await connection.query(query)
            let users = try rows.map { UserID(try $0.decode("user_id")) }
            guard !users.isEmpty else { return (rows, UnparkedJobs?.none) }
            return (rows, try UnparkedJobs(await connection.query(.unparkNext(of: users, wakes: true))))
        }
        unparker.add(unparked?.passedOver ?? [])
        for row in rows {
            let job = FailedJob(
                id: JobID(try row.decode("job_id")),
                userID: UserID(try row.decode("user_id")),
                error: try row.decode("error")
            )
            let status: String = try row.decode("status")
            let worker: String = try row.decode("worker")
            let crashes: Int = try row.decode("crashes")
            let isCrash: Bool = try row.decode("is_crash")
            let isLeft: Bool = try row.decode("is_left")
            if isCrash { QueueMetrics.rescued(as: status) }
            logger.warning(
                isCrash
                    ? "A worker died with a job."
                    : isLeft
                        ? "A worker was stopped and could not record how a job ended."
                        : "A worker never heard of its claim of a job.",
                metadata: [
                    "job": "\(job.id)", "user": "\(job.userID)", "status": "\(status)", "worker": "\(worker)",
                    "crashes": "\(crashes)",
                ]
            )
            if let delay = try row.decode("delay", as: Double?.self) { dueTimes.add(.now + .seconds(delay)) }
            if status == JobStatus.failed.rawValue { await onFailure(job) }
        }
        if !rows.isEmpty { wake.signal() }
        return rows.count
    }

    /// Repairs what no trigger carried into the queue, or one did a second time.
    private func repair() async throws {
        let rows = try await pool.query(.repair(records: Self.repairStep))
        guard !rows.isEmpty else { return }
        logger.warning(
            "The queue did not agree with its records, as after a restore of the data alone; repaired.",
            metadata: ["jobs": "\(rows.count)"]
        )
        wake.signal()
    }
}

/// Leases whose jobs the database does not let be given to the queue again, for a while.
private final class RefusedLeases: Sendable {
    private let until = Mutex<[Lease: ContinuousClock.Instant]>([:])

    private static let pause = Duration.seconds(300)
    /// More are tried again each time.
    private static let most = 20_000

    var current: [Lease] {
        let now = ContinuousClock.now
        return until.withLock { until in
            if until.isEmpty { return [] }
            until = until.filter { $0.value > now }
            return Array(until.keys)
        }
    }

    func add(_ lease: Lease) {
        until.withLock { until in
            if until.count < Self.most { until[lease] = .now + Self.pause }
        }
    }
}
