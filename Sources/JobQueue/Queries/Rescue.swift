internal import Foundation
internal import Postgres

/// What a rescue writes besides giving the job back.
struct RescueNotices: OptionSet {
    let rawValue: Int

    /// The line in the job's log.
    static let line = RescueNotices(rawValue: 1)
    /// The alert of a job that has failed.
    static let alert = RescueNotices(rawValue: 2)
    static let all: RescueNotices = [.line, .alert]
}

extension PostgresQuery {
    /// Gives jobs whose lease has run out to the queue again, at most `limit`; past its crash budget a job fails.
    ///
    /// A lease that was never renewed, of a process that is still there, is no crash: the answer to that claim was
    /// lost, and nobody has begun the job. It goes back as it was. Whether it is the same process is told by the
    /// numbers of its leases. Nor is one that a worker left in `sync_stopped_workers`, as it ended in order.
    ///
    /// While the database was away no process could say that it is there, and those that have not come back yet look
    /// gone: until then leases that were never renewed stay.
    ///
    /// Reads `sync_queue_running`, which holds every claimed row and nothing else; there is no index on the expiry, so
    /// that a heartbeat stays a heap-only update. Locks the records by primary key with SKIP LOCKED, then the queue
    /// rows in the same way, which shows whether a heartbeat came in between; those that somebody else has locked hide
    /// no others. Records are then changed by their `ctid`, and queue rows found by a list of users as well, so that no
    /// plan made while the tables were empty reads all of them. What stopped workers left is read by
    /// `sync_stopped_workers_with_leases`, which holds few. One that was changed since the snapshot is left for the
    /// next time. Does itself what the triggers do when anyone else ends a run; `unparkNext` is to follow in the same
    /// transaction. The counts are other roles' to write as well: no value of theirs may overflow.
    ///
    /// Each row: `job_id`, `user_id`, `status`, `crashes`, `worker` (who held it), `is_crash`, `is_left` (by a worker
    /// that ended in order), `error`, and `delay` in seconds until a queued one is due.
    ///
    /// - Parameters:
    ///   - isSettled: whether a process that is there has had time to say so.
    ///   - lease: the only one to be looked at; nil: all.
    ///   - notices: what is written besides.
    static func rescue(
        limit: Int,
        isSettled: Bool = true,
        only lease: Lease? = nil,
        except passedOver: [Lease] = [],
        with notices: RescueNotices = .all
    ) -> PostgresQuery {
        .byIndexGivingWay(
            """
            WITH expired AS MATERIALIZED (
                SELECT q.job_id, q.user_id, q.lease, coalesce(s.is_left, false) AS is_left
                FROM sync_queue AS q
                LEFT JOIN LATERAL (
                    SELECT true AS is_left FROM sync_stopped_workers AS s
                    WHERE s.leases <> '{}' AND q.lease = ANY (s.leases) LIMIT 1
                ) AS s ON true
                WHERE q.lease IS NOT NULL AND q.lease_expires_at < clock_timestamp()
                    AND (q.is_renewed OR s.is_left OR \(isSettled))
                    AND (\(lease?.rawValue)::bigint IS NULL OR q.lease = \(lease?.rawValue)) AND q.lease <> ALL (\(passedOver.map(\.rawValue)))
            ), held AS MATERIALIZED (
                SELECT e.lease, e.is_left, record.place, record.worker, entry.is_crash AND NOT e.is_left AS is_crash,
                    entry.is_crash AND NOT e.is_left AND record.is_spent AS is_over
                FROM expired AS e
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place, coalesce(j.worker, 'unknown') AS worker, j.crashes >= j.max_crashes AS is_spent
                    FROM sync_jobs AS j
                    WHERE j.job_id = e.job_id AND j.lease = e.lease
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS record
                CROSS JOIN LATERAL (
                    SELECT q.is_renewed OR (
                        SELECT true FROM sync_workers AS w
                        WHERE w.worker = record.worker AND w.first_lease <= e.lease AND w.present_until > clock_timestamp()
                        LIMIT 1) IS NULL AS is_crash
                    FROM sync_queue AS q
                    WHERE q.user_id = e.user_id AND q.lease = e.lease AND q.lease IS NOT NULL
                        AND q.lease_expires_at < clock_timestamp()
                    FOR UPDATE OF q SKIP LOCKED
                ) AS entry
                LIMIT \(limit)
            ), rescued AS (
                UPDATE sync_jobs AS j
                SET status = CASE WHEN h.is_over THEN 'failed' ELSE 'queued' END,
                    crashes = CASE WHEN h.is_crash THEN least(j.crashes, 2147483646) + 1 ELSE j.crashes END,
                    attempt = greatest(j.attempt, 1) - 1,
                    lease = NULL,
                    rescued_lease = h.lease,
                    worker = NULL,
                    run_at = CASE WHEN h.is_over OR NOT h.is_crash THEN j.run_at
                                  ELSE clock_timestamp() + make_interval(secs => random() * least(60, power(2, least(greatest(j.crashes, 0), 6)))) END,
                    completed_at = CASE WHEN h.is_over THEN timezone('utc', clock_timestamp()) END,
                    failed_at = CASE WHEN h.is_over THEN clock_timestamp() END,
                    last_error = CASE WHEN h.is_crash
                        THEN format('Worker %s stopped answering while it ran this job.', h.worker)
                        WHEN h.is_left THEN format('Worker %s was stopped and could not record how this job ended.', h.worker)
                        ELSE format('Worker %s never heard that it had claimed this job.', h.worker) END,
                    last_error_at = clock_timestamp(),
                    error_message = CASE WHEN h.is_over THEN format(
                        'Given up after %s workers died while running this job, the last of them %s. See their logs; '
                        'then set the job to queued to try again.', j.crashes::bigint + 1, h.worker) END
                FROM held AS h
                WHERE j.ctid = h.place
                RETURNING j.job_id, j.user_id, j.status, j.crashes, j.run_at, j.priority, h.lease, h.worker, h.is_crash, h.is_left,
                    coalesce(j.error_message, j.last_error) AS error,
                    CASE WHEN j.status = 'queued' AND isfinite(j.run_at)
                         THEN extract(epoch FROM j.run_at - clock_timestamp())::float8 END AS delay
            ), removed AS (
                DELETE FROM sync_queue
                WHERE lease IS NOT NULL
                    AND user_id = ANY (ARRAY(SELECT user_id FROM rescued WHERE status = 'failed'))
                    AND lease = ANY (ARRAY(SELECT lease FROM rescued))
            ), returned AS (
                UPDATE sync_queue AS q
                SET lease = NULL, lease_expires_at = NULL, run_at = r.run_at, priority = r.priority
                FROM rescued AS r
                WHERE r.status = 'queued' AND q.user_id = r.user_id AND q.lease = r.lease
                    AND q.user_id = ANY (ARRAY(SELECT user_id FROM rescued WHERE status = 'queued'))
            )\(notices)
            SELECT job_id, user_id, status, crashes, worker, is_crash, is_left, error, delay FROM rescued
            """
        )
    }

    /// Leases that have run out, of jobs that `rescue` would give to the queue again, in their order. Reads all of
    /// `sync_queue_running`.
    ///
    /// Each row: `lease`, `job_id`.
    static func expiredLeases(after last: Lease, limit: Int, except passedOver: [Lease]) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT lease, job_id FROM sync_queue
            WHERE lease IS NOT NULL AND lease_expires_at < clock_timestamp() AND lease > \(last.rawValue)
                AND lease <> ALL (\(passedOver.map(\.rawValue)))
            ORDER BY lease
            LIMIT \(limit)
            """
        )
    }

    /// One of the leases that ran out longer ago than `time`, if there is one: every rescue since has passed it over.
    /// Reads all of `sync_queue_running`.
    ///
    /// Each row: `job_id`, `user_id`.
    static func overdueLease(by time: Duration, except passedOver: [Lease]) -> PostgresQuery {
        .byIndexGivingWay(
            """
            SELECT job_id, user_id FROM sync_queue
            WHERE lease IS NOT NULL AND lease_expires_at < clock_timestamp() - make_interval(secs => \(time.seconds))
                AND lease <> ALL (\(passedOver.map(\.rawValue)))
            LIMIT 1
            """
        )
    }

    /// Brings back the next parked job of each user who has none running: a safety net under the triggers,
    /// which leave some only when waiting rows are changed or cancelled by hand, or are locked.
    ///
    /// Walks `sync_queue_parked` from user to user, not over every parked job. A user who has another job due already
    /// gets one more; the claim parks it again.
    static func unparkStranded() -> PostgresQuery {
        .byIndex(
            """
            WITH RECURSIVE parked_user AS (
                (SELECT user_id FROM sync_queue WHERE is_parked ORDER BY user_id LIMIT 1)
                UNION ALL
                SELECT (SELECT q.user_id FROM sync_queue AS q
                        WHERE q.is_parked AND q.user_id > p.user_id ORDER BY q.user_id LIMIT 1)
                FROM parked_user AS p
                WHERE p.user_id IS NOT NULL
            )
            SELECT sync_queue_unpark(p.user_id, true)
            FROM parked_user AS p
            WHERE p.user_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM sync_queue AS r WHERE r.user_id = p.user_id AND r.lease IS NOT NULL)
            """
        )
    }

    /// Repairs where record and queue disagree; see `sync_queue_repair`.
    ///
    /// Each row: `job_id`, `problem`: `missing`, `surplus`, `double` or `stale`.
    static func repair(records: Int) -> PostgresQuery {
        .byIndex("SELECT repaired AS job_id, problem FROM sync_queue_repair(\(Int32(clamping: records)))")
    }

    /// Where record and queue disagree. Reads both tables.
    ///
    /// Each row: `job_id`, `user_id`, `problem`: `missing`, `surplus`, `double` or `stale`.
    static func disagreements() -> PostgresQuery {
        "SELECT job_id, user_id, problem FROM sync_queue_disagreements() LIMIT 1000"
    }
}

extension PostgresQuery.StringInterpolation {
    /// Adds what is told of rescued jobs. What is left out does not touch its table, which may be locked.
    fileprivate mutating func appendInterpolation(_ notices: RescueNotices) {
        if notices.contains(.line) {
            appendLiteral(
                """
                , logged AS (
                    INSERT INTO sync_logs (job_id, level, message)
                    SELECT job_id, CASE WHEN status = 'failed' THEN 'ERROR' ELSE 'WARNING' END, error FROM rescued
                )
                """
            )
        }
        if notices.contains(.alert) {
            appendLiteral(
                """
                , alerted AS (
                    INSERT INTO sync_alert_events (kind, job_id, user_id, error)
                    SELECT 'crash_budget', job_id, user_id, left(error, 2000) FROM rescued WHERE status = 'failed'
                )
                """
            )
        }
    }
}
