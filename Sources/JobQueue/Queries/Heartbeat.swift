internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Renews the leases of all jobs of a worker and shows that the worker is alive, in one statement.
    ///
    /// Looks each job up by primary key; only a running job has a lease, by constraint. `jobs` must be sorted: rows are locked in the order of their keys, as by every
    /// statement over several of a worker's jobs, so that two of them can't wait for each other.
    ///
    /// Each row: `job_id` of a renewed lease. What is missing is no longer this worker's.
    static func heartbeat(
        worker: WorkerPresence,
        jobs: [(id: JobID, lease: Lease)],
        lease: Duration
    ) -> PostgresQuery {
        .byIndex(
            """
            WITH present AS (
                INSERT INTO sync_workers AS w (worker, slots, running, wakeable, version)
                VALUES (\(worker.name), \(worker.slots), \(jobs.count), \(worker.isWakeable), \(worker.version))
                ON CONFLICT (worker) DO UPDATE
                SET last_seen_at = now(), slots = excluded.slots, running = excluded.running,
                    wakeable = excluded.wakeable, version = excluded.version
            ), held AS MATERIALIZED (
                SELECT j.job_id
                FROM unnest(\(jobs.map(\.id.rawValue)), \(jobs.map(\.lease.rawValue))) AS h (job_id, lease)
                CROSS JOIN LATERAL (
                    SELECT s.job_id FROM sync_jobs AS s
                    WHERE s.job_id = h.job_id AND s.lease = h.lease
                    FOR NO KEY UPDATE
                ) AS j
            )
            UPDATE sync_jobs
            SET lease_expires_at = clock_timestamp() + make_interval(secs => \(lease.seconds))
            WHERE job_id = ANY (ARRAY(SELECT job_id FROM held))
            RETURNING job_id
            """
        )
    }

    /// The jobs among these whose leases are still held, by primary key.
    ///
    /// Each row: `job_id`.
    static func held(_ jobs: [(id: JobID, lease: Lease)]) -> PostgresQuery {
        .byIndex(
            """
            SELECT j.job_id
            FROM unnest(\(jobs.map(\.id.rawValue)), \(jobs.map(\.lease.rawValue))) AS h (job_id, lease)
            CROSS JOIN LATERAL (
                SELECT s.job_id FROM sync_jobs AS s
                WHERE s.job_id = h.job_id AND s.lease = h.lease LIMIT 1
            ) AS j
            """
        )
    }

    /// Takes the worker's row away when it has stopped.
    static func forgetWorker(_ name: String) -> PostgresQuery {
        .byIndex(
            "DELETE FROM sync_workers WHERE worker = \(name)"
        )
    }

    /// Says whether the worker wants to be woken by NOTIFY.
    static func setWakeable(_ isWakeable: Bool, worker: String) -> PostgresQuery {
        .byIndex(
            "UPDATE sync_workers SET wakeable = \(isWakeable) WHERE worker = \(worker) AND wakeable <> \(isWakeable)"
        )
    }
}

/// What a worker tells of itself with every heartbeat.
struct WorkerPresence: Sendable {
    var name: String
    var slots: Int
    var version: String
    var isWakeable: Bool
}
