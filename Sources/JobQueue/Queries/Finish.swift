internal import Foundation
internal import Postgres

/// One job's row of a finish: what its outcome means for the columns.
struct JobFinish: Sendable {
    var id: JobID
    var lease: Lease
    /// `completed`, `failed`, or `queued` for one that runs again.
    var status: JobStatus
    /// Whether the attempt counts; a snoozed or released one does not.
    var spendsAttempt: Bool
    /// Wait until a queued job is due again.
    var delay: Duration
    var error: String?
    var logLevel: String?
    var logMessage: String?
}

extension PostgresPool {
    /// Ends the runs of many jobs and claims others in their place, in one transaction and one round trip.
    ///
    /// - Parameters:
    ///   - finishes: sorted by job.
    ///   - claim: nil to claim nothing. Fails with `uniqueViolation` as a claim by itself does, and then nothing is ended.
    /// - Returns: the rows of ``PostgresQuery/finish(_:)``, and those of the claim.
    func finish(
        _ finishes: [JobFinish],
        claiming claim: PostgresQuery? = nil
    ) async throws -> (finished: PostgresRows, claimed: PostgresRows?) {
        let statements = [.finish(finishes), .unparkNext(after: finishes.map(\.id))] + (claim.map { [$0] } ?? [])
        let rows = try await batch(statements)
        return (rows[0], claim == nil ? nil : rows[2])
    }
}

extension PostgresQuery {
    /// Ends the runs of many jobs in one statement; those whose lease is no longer held are left alone.
    ///
    /// Looks each job up by primary key; only a running job has a lease, by constraint. `finishes` must be sorted by it, see
    /// `heartbeat`. A retry turns into a failure in here, by the row's own budget, so that an operator who changes
    /// `max_attempts` is heard. `lease = NULL` tells the row's triggers that the holder itself ends the run; for a job that
    /// completes they then do nothing, and `unparkNext` is to follow in the same transaction.
    ///
    /// Each row: `job_id`, `status` as it now is, `error`, `delay` in seconds until it is due again.
    static func finish(_ finishes: [JobFinish]) -> PostgresQuery {
        .byIndex(
            """
            WITH finished AS (
                UPDATE sync_jobs AS j
                SET status = CASE WHEN r.status = 'queued' AND r.spends_attempt AND j.attempt >= j.max_attempts THEN 'failed'
                                  ELSE r.status END,
                    lease = NULL,
                    lease_expires_at = NULL,
                    attempt = CASE WHEN r.spends_attempt THEN j.attempt ELSE greatest(j.attempt - 1, 0) END,
                    run_at = CASE WHEN r.status = 'queued' THEN clock_timestamp() + make_interval(secs => r.delay)
                                  ELSE j.run_at END,
                    completed_at = CASE WHEN r.status = 'completed' THEN timezone('utc', clock_timestamp()) END,
                    error_message = CASE WHEN r.status = 'failed' OR r.spends_attempt AND j.attempt >= j.max_attempts
                                         THEN r.error END,
                    last_error = coalesce(r.error, j.last_error)
                FROM unnest(
                    \(finishes.map(\.id.rawValue)), \(finishes.map(\.lease.rawValue)),
                    \(finishes.map(\.status.rawValue)), \(finishes.map(\.spendsAttempt)),
                    \(finishes.map(\.delay.seconds)), \(finishes.map(\.error)),
                    \(finishes.map(\.logLevel)), \(finishes.map(\.logMessage))
                ) AS r (job_id, lease, status, spends_attempt, delay, error, log_level, log_message)
                WHERE j.job_id = r.job_id AND j.lease = r.lease
                RETURNING j.job_id, j.status, r.error, r.delay, r.log_level, r.log_message
            ), logged AS (
                INSERT INTO sync_logs (job_id, level, message)
                SELECT job_id,
                    CASE WHEN status = 'failed' THEN 'ERROR' ELSE log_level END,
                    CASE WHEN status = 'failed' THEN 'Sync failed: ' || error ELSE log_message END
                FROM finished
                WHERE log_message IS NOT NULL OR status = 'failed'
            )
            SELECT job_id, status, error, delay FROM finished
            """
        )
    }

    /// Brings back the next parked job of each user whose job has been finished: what the trigger does when anyone else ends
    /// a run. A statement of its own after `finish`, so that it sees what a claim parked while that one waited for it.
    ///
    /// One look into `sync_jobs_parked` per job, and more only for a user who has jobs parked.
    static func unparkNext(after jobs: [JobID]) -> PostgresQuery {
        .byIndex(
            """
            SELECT sync_jobs_unpark_next(j.user_id)
            FROM unnest(\(jobs.map(\.rawValue))) AS ended (job_id)
            CROSS JOIN LATERAL (SELECT s.user_id FROM sync_jobs AS s WHERE s.job_id = ended.job_id LIMIT 1) AS j
            WHERE (SELECT true FROM sync_jobs AS p WHERE p.user_id = j.user_id AND p.status = 'queued' AND p.parked LIMIT 1)
            """
        )
    }

    /// The present status of jobs, by primary key.
    static func statuses(of jobs: [JobID]) -> PostgresQuery {
        .byIndex(
            """
            SELECT j.job_id, j.status
            FROM unnest(\(jobs.map(\.rawValue))) AS wanted (job_id)
            CROSS JOIN LATERAL (SELECT s.job_id, s.status FROM sync_jobs AS s WHERE s.job_id = wanted.job_id LIMIT 1) AS j
            """
        )
    }
}
