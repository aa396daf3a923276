internal import Foundation
internal import Logging
internal import Postgres
import Support

/// Deletes what finished long ago, in small batches, so that it never holds up anyone.
struct Pruner: Sendable {
    let pool: PostgresPool
    let configuration: JobWorkerConfiguration
    let logger: Logger

    private static let batch = 500

    func run() async {
        while !Task.isCancelled {
            do {
                try await prune()
            } catch {
                if Task.isCancelled { return }
                logger.warning("Deleting old jobs failed; it is tried again later.", metadata: ["error": "\(error)"])
            }
            // Cancellation ends the loop above.
            try? await DeadlineQueue.shared.sleep(for: .seconds(600) * Double.random(in: 0.8...1.2))
        }
    }

    /// Walks once over what is old enough.
    private func prune() async throws {
        var total = (jobs: 0, logs: 0)
        var position: JobCursor?
        while !Task.isCancelled {
            let query = PostgresQuery.prune(
                retention: configuration.retention,
                keepsTakenOver: configuration.keepsTakenOverJobs,
                after: position,
                limit: Self.batch
            )
            guard let row = try await pool.query(query).first else { break }
            total.jobs += try row.decode("jobs", as: Int.self)
            total.logs += try row.decode("logs", as: Int.self)
            guard try row.decode("walked", as: Int.self) == Self.batch,
                let id = try row.decode("last_job_id", as: UUID?.self)
            else { break }
            let createdAt: PostgresInstant = try row.decode("last_created_at")
            position = JobCursor(microseconds: createdAt.microsecondsSince1970, id: JobID(id))
        }
        try await pool.execute(.pruneWorkers())
        try await pool.execute(.pruneThroughput())
        if total.jobs > 0 {
            logger.info("Deleted old jobs.", metadata: ["jobs": "\(total.jobs)", "logs": "\(total.logs)"])
        }
    }
}
