internal import Logging
internal import Postgres

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
            try? await Task.sleep(for: .seconds(600) * Double.random(in: 0.8...1.2))
        }
    }

    private func prune() async throws {
        var total = (jobs: 0, logs: 0)
        while !Task.isCancelled {
            let rows = try await pool.query(
                .prune(
                    retention: configuration.retention,
                    keepsTakenOver: configuration.keepsTakenOverJobs,
                    limit: Self.batch
                )
            )
            guard let row = rows.first else { break }
            let jobs: Int = try row.decode("jobs")
            total = (total.jobs + jobs, total.logs + (try row.decode("logs", as: Int.self)))
            if jobs < Self.batch { break }
        }
        try await pool.execute(.pruneWorkers())
        if total.jobs > 0 {
            logger.info("Deleted old jobs.", metadata: ["jobs": "\(total.jobs)", "logs": "\(total.logs)"])
        }
    }
}
