package import Foundation
package import JobQueue
package import Postgres

/// Failed jobs of the last day whose users have had no job since: what nobody has seen to yet.
package struct OpenFailures: Sendable {
    package struct Failure: Sendable {
        package let id: JobID
        package let userID: UserID
        package let error: String?
        package let failedAt: Date
    }

    /// Users.
    package var count = 0
    package var latest: Failure?
    /// Whether not all jobs that failed were read.
    package var isAtLeast = false

    /// Unsuccessful jobs that are read, the newest first.
    package static let readLimit = 200
}

extension PostgresQuery {
    /// Among the newest unsuccessful jobs those that failed within a day and are the newest of their users; the latest
    /// of them, and how many there are. By `sync_jobs_unsuccessful` and `sync_jobs_user_recent`.
    ///
    /// A row, if there is one: `job_id`, `user_id`, `error`, `failed_at`, `jobs`, `is_at_least`.
    package static func openFailures() -> PostgresQuery {
        .byIndex(
            """
            WITH recent AS MATERIALIZED (
                SELECT j.job_id, j.user_id, j.status, j.failed_at, left(j.error_message, 1000) AS error FROM sync_jobs AS j
                WHERE j.failed_at IS NOT NULL
                ORDER BY j.created_at DESC, j.job_id DESC LIMIT \(OpenFailures.readLimit)
            ), open AS MATERIALIZED (
                SELECT r.job_id, r.user_id, r.failed_at, r.error FROM recent AS r
                WHERE r.status = 'failed' AND r.failed_at > now() - interval '1 day'
                    AND (SELECT n.job_id FROM sync_jobs AS n WHERE n.user_id = r.user_id
                         ORDER BY n.created_at DESC, n.job_id DESC LIMIT 1) = r.job_id
            )
            SELECT o.job_id, o.user_id, o.error, o.failed_at, (SELECT count(*) FROM open) AS jobs,
                (SELECT count(*) FROM recent) = \(OpenFailures.readLimit) AS is_at_least
            FROM open AS o ORDER BY o.failed_at DESC LIMIT 1
            """
        )
    }
}

extension PostgresPool {
    package func openFailures() async throws -> OpenFailures {
        guard let row = try await query(.openFailures()).first else { return OpenFailures() }
        return OpenFailures(
            count: try row.decode("jobs"),
            latest: OpenFailures.Failure(
                id: JobID(try row.decode("job_id", as: UUID.self)),
                userID: UserID(try row.decode("user_id")),
                error: try row.decode("error"),
                failedAt: try row.decode("failed_at")
            ),
            isAtLeast: try row.decode("is_at_least")
        )
    }
}
