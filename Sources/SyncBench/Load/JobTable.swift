import Postgres
import TestSupport

/// The table `sync_jobs` of a measurement.
struct JobTable: Sendable {
    let database: BenchDatabase

    /// Fills it with queued jobs of as many users, and with nothing else.
    func load(_ jobs: Int) async throws {
        try await clear()
        try await add(jobs)
        for table in ["sync_jobs", "sync_queue"] { try await database.settle(table) }
    }

    func clear() async throws {
        try await database.pool.execute("TRUNCATE sync_jobs CASCADE")
    }

    func add(_ jobs: Int, prefix: String = "user") async throws {
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status)
            SELECT gen_random_uuid(), \(prefix) || n, 'queued' FROM generate_series(1, \(jobs)) AS n
            """
        )
    }

    /// A user whose jobs are there only to stand in the way.
    static let crowd = "crowd"

    /// How many due jobs have not ended, but for those of the crowd.
    func open() async throws -> Int {
        try await database.count(
            "SELECT count(*) FROM sync_queue WHERE user_id <> \(Self.crowd) AND run_at <= now()"
        )
    }

    /// Waits for the fleet to have run so many jobs and for the table to say so.
    func waitUntilDrained(by fleet: WorkerFleet, jobs: Int, _ progress: ProgressBar? = nil) async throws {
        try await eventually(within: .seconds(600), "the end of \(jobs) jobs") {
            let done = fleet.jobs
            progress?.show(within: min(Double(done) / Double(jobs), 1))
            return done >= jobs
        }
        try await eventually(within: .seconds(60), "the commit of the last jobs") { try await open() == 0 }
    }

    /// Adds jobs that are due tomorrow and come before all others by their priority.
    func addLater(_ jobs: Int) async throws {
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, priority, run_at)
            SELECT gen_random_uuid(), 'later-' || n, 'queued', -1, now() + interval '1 day' + n * interval '1 millisecond'
            FROM generate_series(1, \(jobs)) AS n
            """
        )
        for table in ["sync_jobs", "sync_queue"] { try await database.settle(table) }
    }

    /// Seconds from the first start to the last end, by the server's clock.
    func span() async throws -> Double {
        let rows = try await database.pool.query(
            """
            SELECT extract(epoch FROM max(completed_at) - timezone('utc', min(started_at)))::float8 AS span FROM sync_jobs
            """
        )
        return try rows.first?.decode("span") ?? .nan
    }

    /// Puts a user before all others who has one job running, and very many that wait for it.
    func addCrowd(_ jobs: Int) async throws {
        try await database.pool.execute(
            """
            WITH running AS (
                INSERT INTO sync_jobs (job_id, user_id, status, lease, worker)
                VALUES (gen_random_uuid(), \(Self.crowd), 'running', nextval('sync_lease_seq'), 'another')
                RETURNING *
            ), claimed AS (
                INSERT INTO sync_queue (job_id, user_id, priority, run_at, lease, lease_expires_at)
                SELECT job_id, user_id, priority, run_at, lease, now() + interval '1 day' FROM running
            )
            INSERT INTO sync_jobs (job_id, user_id, status, run_at)
            SELECT gen_random_uuid(), \(Self.crowd), 'queued', now() - interval '1 hour' FROM generate_series(1, \(jobs)) AS n
            """
        )
        // As if they had come one by one: none waits behind another yet.
        try await database.pool.execute("UPDATE sync_queue SET is_parked = false WHERE is_parked")
    }

    func removeCrowd() async throws {
        try await database.pool.execute("DELETE FROM sync_jobs WHERE user_id = \(Self.crowd)")
    }
}
