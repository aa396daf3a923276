import Foundation
import Logging
import Postgres
import Support

/// Jobs that the database does not let begin, by a constraint or trigger of somebody else's for example. They are
/// passed over for a while, so that one of them does not keep the others from being claimed.
final class RefusedJobs: Sendable {
    private let pool: PostgresPool
    private let logger: Logger
    private let until = Mutex<[JobID: ContinuousClock.Instant]>([:])

    /// How long one is passed over.
    private static let pause = Duration.seconds(300)
    /// More are not remembered: something else is wrong.
    private static let most = 1000
    /// Jobs that are tried together at most.
    private static let batch = 256

    init(pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// Those that are passed over now.
    var ids: [UUID] {
        let now = ContinuousClock.now
        return until.withLock { until in
            if until.isEmpty { return [] }
            until = until.filter { $0.value > now }
            return until.keys.map(\.rawValue)
        }
    }

    /// Looks among the jobs that are due for those that can't begin. What refuses all of them is no fault of a job.
    ///
    /// - Returns: whether there are any, which are passed over from now on.
    /// - Throws: `PostgresError`.
    func find() async throws -> Bool {
        let due = try await pool.query(.dueJobs(except: ids, limit: Self.batch)).map {
            JobID(try $0.decode("job_id"))
        }
        let refused = try await refused(among: due)
        guard !refused.isEmpty, refused.count < due.count else { return false }
        for (job, error) in refused {
            logger.warning(
                "The database does not let this job begin; it is passed over for some minutes, and others are claimed.",
                metadata: ["job": "\(job)", "error": "\(error)"]
            )
        }
        until.withLock { until in
            for (job, _) in refused where until.count < Self.most { until[job] = .now + Self.pause }
        }
        return true
    }

    private func refused(among jobs: [JobID]) async throws -> [(JobID, PostgresError)] {
        guard !jobs.isEmpty else { return [] }
        do {
            try await pool.withTransaction { connection in
                _ = try await connection.query(.tryToBegin(jobs.map(\.rawValue)))
                // What is checked at a commit too.
                try await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                throw Undone()
            }
        } catch is Undone {
            // As it is to be.
        } catch let error as PostgresError where error.isRefusal {
            if jobs.count == 1 { return [(jobs[0], error)] }
            let half = jobs.count / 2
            return try await refused(among: Array(jobs[..<half])) + refused(among: Array(jobs[half...]))
        }
        return []
    }

    /// Takes back what was tried.
    private struct Undone: Error {}
}
