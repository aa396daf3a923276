internal import Foundation
internal import Logging
internal import Postgres
internal import Support

/// What a claim has taken without anybody running it.
extension Claimer {
    /// The jobs of a claim whose answer was lost; nil if there are none.
    ///
    /// The server may still be at work on a claim whose connection has ended, so it is asked for a while.
    func recover() async throws -> Batch? {
        for claim in numbers.lost {
            let isOver = claim.isOver
            let found = try await pool.query(.claimed(with: claim.leases), timeout: .after(configuration.claimLimit))
            let jobs = try found.compactMap(ClaimedJob.init).map { job in
                RunningJobs.Entry(job: job, lease: LeaseGuard(validUntil: claim.validUntil))
            }
            if isOver || !jobs.isEmpty { numbers.forget(claim) }
            guard !jobs.isEmpty else { continue }
            logger.notice("Found the jobs of a claim whose answer was lost.", metadata: ["jobs": "\(jobs.count)"])
            return Batch(jobs: jobs, mayBeMore: true)
        }
        return nil
    }

    /// Gives back what claims have taken whose records a trigger kept from being changed by returning NULL: each claim
    /// would take it again, and the user's next job waits behind it. Beside the claims, which go on meanwhile.
    func returnSwallowed() async {
        while !Task.isCancelled {
            do {
                try await giveBackSwallowed()
                await isAnySwallowed.wait(atMost: .seconds(3600))
            } catch {
                if Task.isCancelled { return }
                logger.warning(
                    "Jobs whose claim a trigger has swallowed could not be given back; trying again.",
                    metadata: ["error": "\(error)"]
                )
                await isAnySwallowed.wait(atMost: .seconds(1))
            }
        }
    }

    /// Gives back what was swallowed and passes over those jobs, and others that are like them.
    ///
    /// - Throws: `PostgresError`.
    func giveBackSwallowed() async throws {
        while let leases = swallowed.withLock({ $0.last }) {
            let rows = try await pool.query(.returnSwallowed(leases), timeout: .after(Self.returnLimit))
            let jobs = try rows.map { row in
                (id: try row.decode("job_id", as: UUID.self), user: try row.decode("user_id", as: String.self))
            }
            swallowed.withLock { $0.removeAll { $0 == leases } }
            refused.passOver(jobs)
            guard !jobs.isEmpty else { continue }
            try await pool.execute(.unparkNext(of: jobs.map { UserID($0.user) }, wakes: true))
            _ = try await refused.find()
        }
    }

    private static let returnLimit = Duration.seconds(5)
}
