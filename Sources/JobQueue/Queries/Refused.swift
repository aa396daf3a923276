internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Jobs that are due, in the queue's order. Reads `sync_queue_claim`, or `sync_queue_forced`, whose jobs are all
    /// that is claimed in a pause; only after a claim was refused.
    ///
    /// Each row: `job_id`, `user_id`, and its place as `last_priority`, `last_run_at`, `last_job_id`.
    ///
    /// - Parameter position: jobs up to it are not read; nil for all.
    static func dueJobs(
        areForced: Bool,
        after position: ClaimPosition?,
        except passedOver: PassedOver,
        limit: Int
    ) -> PostgresQuery {
        let priority = position?.priority ?? .min
        let runAt = position?.runAt ?? .minusInfinity
        let id = position?.id ?? ClaimPosition.lowestID
        if areForced {
            return .byIndexGivingWay(
                """
                SELECT q.job_id, q.user_id, q.priority AS last_priority, q.run_at AS last_run_at, q.job_id AS last_job_id
                FROM sync_queue AS q
                WHERE q.is_forced AND q.lease IS NULL AND NOT q.is_parked AND q.run_at <= now()
                    AND (q.priority, q.run_at, q.job_id) > (\(priority), \(runAt), \(id))
                    AND q.job_id <> ALL (\(passedOver.jobs))
                    AND q.user_id NOT IN (SELECT u.user_id FROM unnest(\(passedOver.users)) AS u (user_id))
                ORDER BY q.priority, q.run_at, q.job_id LIMIT \(limit)
                """
            )
        }
        return .byIndexGivingWay(
            """
            SELECT q.job_id, q.user_id, q.priority AS last_priority, q.run_at AS last_run_at, q.job_id AS last_job_id
            FROM sync_queue AS q
            WHERE q.lease IS NULL AND NOT q.is_parked AND q.run_at <= now()
                AND (q.priority, q.run_at, q.job_id) > (\(priority), \(runAt), \(id))
                AND q.job_id <> ALL (\(passedOver.jobs))
                AND q.user_id NOT IN (SELECT u.user_id FROM unnest(\(passedOver.users)) AS u (user_id))
            ORDER BY q.priority, q.run_at, q.job_id LIMIT \(limit)
            """
        )
    }

    /// Tries to begin queued jobs as a claim does, or to begin and complete them, and takes that back. By primary key,
    /// with SKIP LOCKED.
    ///
    /// Each row: `job_id` of one that is refused, `state` and `message` of the error; NULLs for one that was not tried,
    /// as its record is locked.
    static func refusedJobs(among jobs: [UUID], completing: Bool) -> PostgresQuery {
        "SELECT refused AS job_id, state, message FROM sync_jobs_refused(\(jobs), \(completing))"
    }

    /// Gives back the queue rows that a claim has taken with these leases while a trigger that returns NULL kept their
    /// records from being changed: nobody runs those jobs. Reads `sync_queue_running`, all of it; records by primary
    /// key. `unparkNext` is to follow.
    ///
    /// Each row: `job_id`, `user_id`.
    static func returnSwallowed(_ leases: ClosedRange<Int64>) -> PostgresQuery {
        .byIndexGivingWay(
            """
            UPDATE sync_queue AS q
            SET lease = NULL, lease_expires_at = NULL
            WHERE q.lease IS NOT NULL AND q.lease BETWEEN \(leases.lowerBound) AND \(leases.upperBound)
                AND (SELECT true FROM sync_jobs AS j WHERE j.job_id = q.job_id AND j.lease = q.lease LIMIT 1) IS NULL
            RETURNING q.job_id, q.user_id
            """
        )
    }

    /// Whether any of the newest jobs has completed in the last `time`.
    ///
    /// One row: `has_completed`.
    static func hasCompleted(inTheLast time: Duration) -> PostgresQuery {
        .byIndex(
            """
            SELECT count(*) > 0 AS has_completed
            FROM (
                SELECT status, completed_at FROM sync_jobs ORDER BY created_at DESC, job_id DESC LIMIT 256
            ) AS newest
            WHERE status = 'completed'
                AND completed_at > timezone('utc', clock_timestamp()) - make_interval(secs => \(time.seconds))
            """
        )
    }
}
