import Postgres

/// The plainest table that could serve as a queue: what the service's claims and inserts are compared with.
struct BareQueue: Sendable {
    let database: BenchDatabase

    func create() async throws {
        try await database.pool.execute(
            """
            CREATE TABLE bare_jobs (
                job_id uuid PRIMARY KEY, user_id varchar(255) NOT NULL, status varchar(50) NOT NULL,
                created_at timestamptz NOT NULL DEFAULT now(), completed_at timestamptz
            )
            """
        )
        try await database.pool.execute(
            "CREATE INDEX bare_jobs_queued ON bare_jobs (created_at, job_id) WHERE status = 'queued'"
        )
    }

    /// Fills the table with queued jobs, and with nothing else.
    func load(_ jobs: Int) async throws {
        try await database.pool.execute("TRUNCATE bare_jobs")
        try await database.pool.execute(
            """
            INSERT INTO bare_jobs (job_id, user_id, status)
            SELECT gen_random_uuid(), 'user' || n, 'queued' FROM generate_series(1, \(jobs)) AS n
            """
        )
        try await database.settle("bare_jobs")
    }

    /// Takes up to `batch` jobs and completes them, each in a statement and a durable commit of its own.
    static func claimAndComplete(_ batch: Int) -> String {
        """
        WITH claimed AS (
            UPDATE bare_jobs SET status = 'running'
            WHERE job_id = ANY (ARRAY(
                SELECT job_id FROM bare_jobs WHERE status = 'queued' ORDER BY created_at, job_id LIMIT \(batch)
                FOR UPDATE SKIP LOCKED))
            RETURNING job_id
        )
        SELECT coalesce(array_agg(job_id), '{}') AS jobs FROM claimed \\gset
        UPDATE bare_jobs SET status = 'completed', completed_at = now() WHERE job_id = ANY (:jobs ::uuid[]);
        """
    }
}
