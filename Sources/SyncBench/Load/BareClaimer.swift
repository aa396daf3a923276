import Foundation
import Postgres
import Support

/// The least that can take jobs as they come: one connection that listens, claims what is there and does nothing with
/// it.
final class BareClaimer: Sendable {
    private let isStopped = Atomic<Bool>(false)

    /// Makes the bare table say when a row comes, as plainly as can be.
    static func prepare(_ database: BenchDatabase) async throws {
        try await database.pool.execute(
            """
            CREATE FUNCTION bare_jobs_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_notify('bare_jobs', ''); RETURN NULL; END $$
            """
        )
        try await database.pool.execute(
            """
            CREATE TRIGGER bare_jobs_inserted AFTER INSERT ON bare_jobs
            FOR EACH STATEMENT EXECUTE FUNCTION bare_jobs_inserted()
            """
        )
    }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
    }

    /// Claims until `jobs` were taken or `stop` is called.
    ///
    /// - Returns: when each user's job was held, in nanoseconds.
    func run(_ url: String, jobs: Int) async throws -> [String: Int64] {
        try await onThread { [self] in
            let connection = try BareConnection(url)
            try connection.execute("LISTEN bare_jobs")
            try connection.prepare(
                "claim",
                """
                UPDATE bare_jobs SET status = 'running'
                WHERE job_id = ANY (ARRAY(
                    SELECT job_id FROM bare_jobs WHERE status = 'queued' ORDER BY created_at, job_id LIMIT 64
                    FOR UPDATE SKIP LOCKED))
                RETURNING user_id
                """
            )
            var starts: [String: Int64] = [:]
            while starts.count < jobs, !isStopped.load(ordering: .relaxed) {
                let users = try connection.execute(prepared: "claim")
                let now = monotonicNanoseconds()
                for user in users { starts[user] = now }
                if users.isEmpty { try connection.waitForNotifications(atMost: 200) }
            }
            return starts
        }
    }
}
