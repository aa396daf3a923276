internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// All workers, by name. Silence is measured by the database's clock: it is that of a worker which has not kept its
    /// word as to its next heartbeat, or of one that has given none and was last heard of a minute ago. A scan of a
    /// table with a row per worker.
    static func workers() -> PostgresQuery {
        """
        SELECT instance, left(worker, 255) AS worker, left(version, 255) AS version, slots, running, started_at, last_seen_at, listening,
            claims_held_since, claims_failing_since,
            CASE WHEN isfinite(last_seen_at) THEN greatest(extract(epoch FROM now() - last_seen_at), 0)::float8
                 ELSE 0 END AS silence,
            coalesce(present_until < clock_timestamp(),
                isfinite(last_seen_at) AND last_seen_at < now() - interval '1 minute') AS is_silent
        FROM sync_workers
        ORDER BY worker, started_at, instance
        """
    }

    /// The jobs that workers hold, at most `limit`, in no order. By `sync_queue_running`, then of each job its record by
    /// primary key, its worker, which `sync_workers` is read for, and by `sync_logs_job` when its last line was written;
    /// a run writes twenty thousand lines at most.
    ///
    /// Each row: a ``JobRecord``; `lease_ends_at`, `is_lease_over`; `holder`, the instance of its worker, and `last_at`,
    /// or NULLs.
    static func runs(limit: Int) -> PostgresQuery {
        var query = StringInterpolation(literalCapacity: 1500, interpolationCount: 1)
        query.appendLiteral(
            """
            SELECT j.*, q.lease_expires_at AS lease_ends_at, q.lease_expires_at < clock_timestamp() AS is_lease_over,
                holder.instance AS holder, (SELECT max(l.created_at) FROM sync_logs AS l WHERE l.job_id = q.job_id) AS last_at
            FROM (SELECT job_id, lease, lease_expires_at FROM sync_queue WHERE lease IS NOT NULL LIMIT
            """
        )
        query.appendLiteral(" ")
        query.appendInterpolation(limit)
        query.appendLiteral(
            ") AS q CROSS JOIN LATERAL (\(jobColumns(texts: shortText)) WHERE job_id = q.job_id LIMIT 1) AS j"
        )
        query.appendLiteral(
            """
             LEFT JOIN LATERAL (
                SELECT w.instance FROM sync_workers AS w WHERE w.worker = j.worker AND w.first_lease <= q.lease
                ORDER BY w.first_lease DESC LIMIT 1
            ) AS holder ON true
            """
        )
        return .byIndex(PostgresQuery(stringInterpolation: query))
    }

    static func databaseTime() -> PostgresQuery {
        "SELECT clock_timestamp() AS now"
    }
}
