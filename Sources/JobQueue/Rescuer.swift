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
    /// Whether the database has been there long enough for other workers to have said that they are.
    let isSettled: @Sendable () -> Bool
    let onFailure: @Sendable (FailedJob) async -> Void

    private static let batch = 100
    /// Records compared with the queue at a time: some milliseconds of the server.
    private static let repairStep = 2000

    func run() async {
        while !Task.isCancelled {
            do {
                while try await rescue() == Self.batch {}
                try await pool.execute(.unparkStranded())
                try await repair()
            } catch {
                if Task.isCancelled { return }
                logger.warning("Looking for jobs of dead workers failed.", metadata: ["error": "\(error)"])
            }
            // An expired lease waits for half a lease at most, a sixth of it with three workers.
            let interval = isSettled() ? configuration.lease / 2 : LeaseKeeper.settling(configuration.lease)
            // Cancellation ends the loop above.
            try? await DeadlineQueue.shared.sleep(for: interval * Double.random(in: 0.8...1.2))
        }
    }

    private func rescue() async throws -> Int {
        let (rows, unparked) = try await pool.withTransaction { connection in
            let rows = try await connection.query(.rescue(limit: Self.batch, isSettled: isSettled()))
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
            if isCrash { QueueMetrics.rescued(as: status) }
            logger.warning(
                isCrash ? "A worker died with a job." : "A worker never heard of its claim of a job.",
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
