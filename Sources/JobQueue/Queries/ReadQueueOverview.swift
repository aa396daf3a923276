internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Counts what is queued by what it waits for, and what runs, each up to `most`. By `sync_queue_claim`, of each
    /// priority what is due and what is due later, by `sync_queue_parked` and by `sync_queue_running`.
    ///
    /// One row: `due`, `later`, `retrying` and `gated` (of what is due later), `parked`, `running`; and `oldest`, when
    /// the job became due that has been for longest, or NULL.
    static func queueOverview(most: Int) -> PostgresQuery {
        .byIndex(
            """
            WITH RECURSIVE level AS (
                (SELECT q.priority FROM sync_queue AS q WHERE \(ClaimCondition.isListed)
                 ORDER BY q.priority, q.run_at, q.job_id LIMIT 1)
                UNION ALL
                SELECT (SELECT q.priority FROM sync_queue AS q
                        WHERE \(ClaimCondition.isListed) AND q.priority > l.priority
                        ORDER BY q.priority, q.run_at, q.job_id LIMIT 1)
                FROM level AS l WHERE l.priority IS NOT NULL
            ), priority AS MATERIALIZED (
                SELECT priority FROM level WHERE priority IS NOT NULL LIMIT 1000
            ), due AS MATERIALIZED (
                SELECT d.run_at FROM priority AS p CROSS JOIN LATERAL (
                    SELECT q.run_at FROM sync_queue AS q
                    WHERE \(ClaimCondition.isListed) AND q.priority = p.priority AND \(ClaimCondition.isDue)
                    ORDER BY q.run_at, q.job_id LIMIT \(most)) AS d
                LIMIT \(most)
            ), later AS MATERIALIZED (
                SELECT d.gate, d.snoozed_since FROM priority AS p CROSS JOIN LATERAL (
                    SELECT q.gate, q.snoozed_since FROM sync_queue AS q
                    WHERE \(ClaimCondition.isListed) AND q.priority = p.priority AND q.run_at > now()
                    ORDER BY q.run_at, q.job_id LIMIT \(most)) AS d
                LIMIT \(most)
            )
            SELECT (SELECT count(*) FROM due) AS due, (SELECT min(run_at) FROM due WHERE isfinite(run_at)) AS oldest,
                (SELECT count(*) FROM later) AS later,
                (SELECT count(*) FROM later WHERE snoozed_since IS NOT NULL AND gate IS NOT NULL) AS gated,
                (SELECT count(*) FROM (SELECT FROM sync_queue WHERE is_parked LIMIT \(most)) AS parked) AS parked,
                (SELECT count(*) FROM (SELECT FROM sync_queue WHERE lease IS NOT NULL LIMIT \(most)) AS running) AS running
            """
        )
    }

    /// Jobs that ended in the last minute, ten minutes and hour, as the workers count them. By `sync_throughput_pkey`.
    ///
    /// One row: `completed_1`, `failed_1`, `completed_10`, `failed_10`, `completed_60`, `failed_60`.
    static func jobRates() -> PostgresQuery {
        .byIndex(
            """
            SELECT \(ended(within: "1")), \(ended(within: "10")), \(ended(within: "60")) FROM sync_throughput AS t
            WHERE t.minute BETWEEN now() - interval '1 hour' AND now()
            """
        )
    }

    private static func ended(within minutes: StaticString) -> PostgresFragment {
        let minutes = PostgresFragment(stringLiteral: minutes)
        return """
            coalesce(sum(t.completed) FILTER (WHERE t.minute > now() - interval '1 minute' * (\(minutes) + 1)
                AND t.minute <= now() - interval '1 minute'), 0)::bigint AS completed_\(minutes),
            coalesce(sum(t.failed) FILTER (WHERE t.minute > now() - interval '1 minute' * (\(minutes) + 1)
                AND t.minute <= now() - interval '1 minute'), 0)::bigint AS failed_\(minutes)
            """
    }

    /// Jobs that failed within a time, by the cause as alerts have it, the most frequent first; among the newest
    /// `scanned` that failed or were cancelled. By `sync_jobs_unsuccessful`.
    ///
    /// Each row: a ``FailureCause``.
    static func failureCauses(within age: Duration, scanned: Int, limit: Int) -> PostgresQuery {
        .byIndex(
            """
            SELECT f.cause, count(*) AS count, count(DISTINCT f.user_id) AS users, max(f.failed_at) AS latest,
                (array_agg(f.error ORDER BY f.failed_at DESC))[1] AS error
            FROM (
                SELECT sync_alert_cause(left(coalesce(j.error_message, j.last_error), 2000), j.user_id) AS cause, j.user_id,
                    j.failed_at, left(coalesce(j.error_message, j.last_error, ''), 1000) AS error
                FROM (SELECT * FROM sync_jobs WHERE failed_at IS NOT NULL
                      ORDER BY created_at DESC, job_id DESC LIMIT \(scanned)) AS j
                WHERE j.status = 'failed' AND j.failed_at > now() - make_interval(secs => \(age.seconds))
            ) AS f
            GROUP BY f.cause ORDER BY count(*) DESC, max(f.failed_at) DESC, f.cause LIMIT \(limit)
            """
        )
    }
}
