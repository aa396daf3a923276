internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Jobs that are due, forced ones first, which are all that is claimed in a pause, then in the queue's order. Reads
    /// `sync_queue_forced`, and `sync_queue_claim` from its beginning; only after a claim was refused.
    ///
    /// Each row: `job_id`.
    static func dueJobs(except passedOver: [UUID], limit: Int) -> PostgresQuery {
        .byIndex(
            """
            (SELECT q.job_id FROM sync_queue AS q
             WHERE q.is_forced AND q.lease IS NULL AND NOT q.is_parked AND q.run_at <= now() AND q.job_id <> ALL (\(passedOver))
             ORDER BY q.priority, q.run_at, q.job_id LIMIT \(limit))
            UNION ALL
            (SELECT q.job_id FROM sync_queue AS q
             WHERE NOT q.is_forced AND q.lease IS NULL AND NOT q.is_parked AND q.run_at <= now() AND q.job_id <> ALL (\(passedOver))
             ORDER BY q.priority, q.run_at, q.job_id LIMIT \(limit))
            LIMIT \(limit)
            """
        )
    }

    /// Changes the records of queued jobs as a claim does, to be rolled back. By primary key, with SKIP LOCKED.
    static func tryToBegin(_ jobs: [UUID]) -> PostgresQuery {
        .byIndex(
            """
            UPDATE sync_jobs AS j
            SET status = 'running', lease = 0, last_write = 0, worker = '', attempt = least(j.attempt, 2147483646) + 1,
                started_at = coalesce(j.started_at, clock_timestamp())
            FROM (
                SELECT record.place
                FROM unnest(\(jobs)) AS wanted (job_id)
                CROSS JOIN LATERAL (
                    SELECT s.ctid AS place FROM sync_jobs AS s
                    WHERE s.job_id = wanted.job_id AND s.status = 'queued'
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS record
            ) AS held
            WHERE j.ctid = held.place
            """
        )
    }
}
