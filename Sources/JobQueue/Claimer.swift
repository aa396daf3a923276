internal import Logging
internal import Postgres

/// Takes due jobs from the queue.
struct Claimer: Sendable {
    struct Batch: Sendable {
        var jobs: [RunningJobs.Entry]
        /// Whether there may be more due jobs than were taken.
        var mayBeMore: Bool
    }

    let pool: PostgresPool
    let configuration: JobWorkerConfiguration
    let logger: Logger

    /// Widest look into the queue for jobs of users who have none running.
    private static let widestWindow = 1024

    /// Claims up to `slots` jobs. Looks further only when the head of the queue belongs to busy users.
    func claim(_ slots: Int) async throws -> Batch {
        var window = slots
        while true {
            let (jobs, examined) = try await claimOnce(slots: slots, window: window)
            if !jobs.isEmpty || examined < window {
                return Batch(jobs: jobs, mayBeMore: examined == window)
            }
            window = min(window * 8, Self.widestWindow)
        }
    }

    private func claimOnce(slots: Int, window: Int) async throws -> ([RunningJobs.Entry], examined: Int) {
        var collisions = 0
        while true {
            let validUntil = ContinuousClock.now + configuration.trustedLease
            do {
                let rows = try await pool.queryByIndex(
                    .claim(slots: slots, window: window, worker: configuration.name, lease: configuration.lease)
                )
                for row in rows {
                    guard let waited = try row.decode("waited", as: Double?.self) else { continue }
                    QueueMetrics.claimed(waited: .seconds(waited))
                }
                let entries = try rows.compactMap(ClaimedJob.init).map { job in
                    RunningJobs.Entry(job: job, lease: LeaseGuard(validUntil: validUntil))
                }
                return (entries, try rows.first?.decode("examined") ?? 0)
            } catch let error as PostgresError where error.sqlState == .uniqueViolation && collisions < 10 {
                // Another worker began a job of one of these users since our snapshot; a new one sees it.
                collisions += 1
                logger.trace("claim met another worker's; claiming again")
            }
        }
    }
}
