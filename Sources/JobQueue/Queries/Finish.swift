internal import Foundation
internal import Postgres

/// One job's row of a finish: what its outcome means for the columns.
struct JobFinish: Sendable {
    var id: JobID
    var userID: UserID
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
    /// Whether being put off counts: who is put off again and again comes back less often.
    var isSnooze = true
    /// Whether anything of it goes into the log.
    var isLogged = true
    /// The gate that a snoozed job waits for; nil: none.
    var gate: String? = nil
    /// Whether the alert of a failure is made.
    var isAlerted = true
    /// Wait until it is due again if the database refuses what it came to.
    var delayOfRefused = Duration.seconds(1)
    /// How much of it is left.
    private(set) var reduction = JobFinishReduction.none

    /// Whether it adds a line to the job's log, or may: the last attempt turns into a failure.
    var hasLine: Bool { isLogged && (logMessage != nil || status == .failed || status == .queued && spendsAttempt) }

    /// Whether it makes an alert, or may.
    var mayAlert: Bool { isAlerted && (status == .failed || status == .queued && spendsAttempt) }

    /// Leaves out its line in the log.
    mutating func dropLine() {
        isLogged = false
        logMessage = nil
    }

    /// Leaves out what the job can do without, more each time; then the outcome itself: then the refusal is a failed
    /// attempt, whose error is the database's own words; at last the attempt, and the job is put off.
    ///
    /// - Returns: whether there was anything left to leave out.
    mutating func reduce(refusedWith refusal: String) -> Bool {
        switch reduction {
        case .none:
            // Its line in the log, a delay of more than a day, and all of its error but the beginning in plain ASCII.
            dropLine()
            delay = min(max(delay, .zero), .seconds(86400))
            error = error.map(Self.plain)
            reduction = .line
        case .line where status == .failed || status == .queued && spendsAttempt:
            isAlerted = false
            reduction = .alert
        case .line, .alert:
            (status, spendsAttempt, gate, isAlerted) = (.queued, true, nil, true)
            delay = delayOfRefused
            error = Self.plain("The database refuses the result: \(refusal)")
            reduction = .outcome
        case .outcome where isAlerted:
            isAlerted = false
        case .outcome:
            // The last attempt would fail the job, and that may be what is refused.
            (spendsAttempt, isSnooze) = (false, false)
            delay = max(delayOfRefused, Self.delayOfPutOff)
            reduction = .attempt
        case .attempt:
            return false
        }
        return true
    }

    private static let delayOfPutOff = Duration.seconds(300)

    private static func plain(_ text: String) -> String {
        String(text.unicodeScalars.prefix(400).map { (" "..."~").contains($0) ? Character($0) : "?" })
    }
}

/// What the database has been spared of a result that it refuses.
enum JobFinishReduction {
    case none, line, alert, outcome, attempt
}

extension PostgresPool {
    /// Ends the runs of many jobs and claims others in their place, in one transaction and one round trip.
    ///
    /// - Parameters:
    ///   - finishes: sorted by job.
    ///   - claim: nil to claim nothing. Fails with `uniqueViolation` or `lockNotAvailable` as a claim by itself does,
    ///     and then nothing is ended.
    ///   - limit: how long the database may take.
    /// - Returns: the rows of ``PostgresQuery/finish(_:)``, those of the claim, and the jobs of the same users that
    ///   came back. Where nothing is claimed, a worker has been woken for those that are due.
    func finish(
        _ finishes: [JobFinish],
        claiming claim: PostgresQuery? = nil,
        within limit: QueryTimeout = .configured
    ) async throws -> (finished: PostgresRows, claimed: PostgresRows?, unparked: UnparkedJobs) {
        let unpark = PostgresQuery.unparkNext(of: finishes.map(\.userID), wakes: claim == nil)
        let rows = try await batch([.finish(finishes), unpark] + (claim.map { [$0] } ?? []), timeout: limit)
        return (rows[0], claim == nil ? nil : rows[2], try UnparkedJobs(rows[1]))
    }
}

extension PostgresQuery {
    /// Ends the runs of many jobs in one statement; those whose lease is no longer held are left alone, and so are
    /// those whose record somebody else has locked.
    ///
    /// Looks each record up by primary key, locks it with SKIP LOCKED and changes it by its `ctid`; only a running job
    /// has a lease, by constraint. Queue rows are found by `sync_queue_running`; the list of users keeps the planner
    /// from reading all of it first where the tables were empty when it planned. A job that is due again at once keeps
    /// its place in the queue. A retry turns into a failure in here, by the record's own budget, so that an operator
    /// who changes `max_attempts` is heard. A run that came to its end takes a crash off the budget of a job that goes
    /// on, as the job does not always kill its worker. The change of the lease tells the triggers of `sync_jobs` that a
    /// worker does all of it itself: the queue row, the alert of a failure, the wake-up for a job that is due again at
    /// once; and `unparkNext` is to follow in the same transaction.
    ///
    /// Each row: `job_id`, `status` as it now is, `error`, `delay` in seconds until it is due again. `status` is NULL
    /// for a job that is still held but whose record is locked, or has only just been: it is to be finished later.
    static func finish(_ finishes: [JobFinish]) -> PostgresQuery {
        .byIndexGivingWay(
            """
            WITH given AS MATERIALIZED (
                SELECT *
                FROM unnest(
                    \(finishes.map(\.id.rawValue)), \(finishes.map(\.lease.rawValue)),
                    \(finishes.map(\.status.rawValue)), \(finishes.map(\.spendsAttempt)),
                    \(finishes.map(\.delay.seconds)), \(finishes.map(\.error)),
                    \(finishes.map(\.logLevel)), \(finishes.map(\.logMessage)), \(finishes.map(\.isLogged)),
                    \(finishes.map(\.isSnooze)), \(finishes.map(\.gate)), \(finishes.map(\.isAlerted))
                ) AS g (job_id, lease, status, spends_attempt, delay, error, log_level, log_message, is_logged, is_snooze,
                    gate, is_alerted)
            ), held AS MATERIALIZED (
                SELECT record.place, g.lease, g.spends_attempt, g.error, g.log_level, g.log_message, g.is_logged,
                    g.is_snooze, g.gate, g.is_alerted,
                    CASE WHEN g.status = 'queued' AND g.spends_attempt AND record.is_spent THEN 'failed'
                         ELSE g.status END AS status,
                    -- One that is put off again and again comes back less and less often, down to once a minute.
                    CASE WHEN g.status = 'queued' AND g.delay > 0 AND NOT g.spends_attempt AND g.is_snooze
                         THEN greatest(g.delay, least(record.snoozes, 60)) ELSE g.delay END AS delay
                FROM given AS g
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place, j.attempt >= j.max_attempts AS is_spent, j.snoozes FROM sync_jobs AS j
                    WHERE j.job_id = g.job_id AND j.lease = g.lease
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS record
            ), finished AS (
                UPDATE sync_jobs AS j
                SET status = h.status,
                    lease = NULL,
                    crashes = CASE WHEN h.status = 'queued' AND (h.spends_attempt OR h.delay > 0) THEN greatest(j.crashes, 1) - 1
                                   ELSE j.crashes END,
                    snoozes = CASE WHEN h.status = 'queued' AND h.delay > 0 AND NOT h.spends_attempt AND h.is_snooze
                                       AND j.snoozes < 2147483647
                                   THEN j.snoozes + 1 ELSE j.snoozes END,
                    worker = CASE WHEN h.status = 'completed' THEN j.worker END,
                    attempt = CASE WHEN h.spends_attempt THEN j.attempt ELSE greatest(j.attempt, 1) - 1 END,
                    run_at = CASE WHEN h.status = 'queued' AND h.delay > 0 THEN clock_timestamp() + make_interval(secs => h.delay)
                                  ELSE j.run_at END,
                    completed_at = CASE WHEN h.status <> 'queued' THEN timezone('utc', clock_timestamp()) END,
                    failed_at = CASE WHEN h.status = 'failed' THEN clock_timestamp() END,
                    error_message = CASE WHEN h.status = 'failed' THEN h.error END,
                    last_error = coalesce(h.error, j.last_error),
                    last_error_at = CASE WHEN h.error IS NULL THEN j.last_error_at ELSE clock_timestamp() END
                FROM held AS h
                WHERE j.ctid = h.place
                RETURNING j.job_id, j.user_id, j.status, j.run_at, j.priority, h.lease, h.error, h.delay, h.spends_attempt, h.log_level,
                    h.log_message, h.is_logged, h.gate, h.is_alerted
            ), removed AS (
                DELETE FROM sync_queue
                WHERE lease IS NOT NULL
                    AND user_id = ANY (ARRAY(SELECT user_id FROM finished WHERE status <> 'queued'))
                    AND lease = ANY (ARRAY(SELECT lease FROM finished))
            ), returned AS (
                UPDATE sync_queue AS q
                SET lease = NULL, lease_expires_at = NULL, run_at = f.run_at, priority = f.priority, gate = f.gate,
                    snoozed_since = CASE WHEN f.spends_attempt THEN NULL
                                         WHEN f.delay > 0 THEN coalesce(q.snoozed_since, clock_timestamp())
                                         ELSE q.snoozed_since END
                FROM finished AS f
                WHERE f.status = 'queued' AND q.user_id = f.user_id AND q.lease = f.lease
                    AND q.user_id = ANY (ARRAY(SELECT user_id FROM finished WHERE status = 'queued'))
            )\(linesOfFinished: finishes.contains(where: \.hasLine))\(alertsOfFinished: finishes.contains(where: \.mayAlert))
            SELECT job_id, status::text AS status, error, delay,
                CASE WHEN status = 'queued' AND delay <= 0 THEN sync_queue_wake() END AS is_announced
            FROM finished
            UNION ALL
            SELECT g.job_id, NULL, g.error, g.delay, NULL
            FROM given AS g
            WHERE (SELECT count(*) FROM finished) < (SELECT count(*) FROM given)
                AND g.job_id <> ALL (ARRAY(SELECT job_id FROM finished))
                AND (SELECT true FROM sync_jobs AS j WHERE j.job_id = g.job_id AND j.lease = g.lease LIMIT 1)
            """
        )
    }

    /// Brings back the next parked job of each user whose job has been finished: what the triggers do when anyone else
    /// ends a run. A statement of its own after `finish`, so that it sees what a claim parked while that one waited for
    /// it.
    ///
    /// Reads nothing more when `sync_queue_parked` is empty, and one entry of it for each user when it is not.
    ///
    /// Each row: `user_id`, and `is_due`, whether there was one that is due; NULL if all that are parked were passed
    /// over, as somebody has locked their records.
    ///
    /// - Parameter wakes: whether a worker is woken for it; a worker that claims in the same transaction takes it
    ///   itself.
    static func unparkNext(of users: [UserID], wakes: Bool) -> PostgresQuery {
        .byIndex(
            """
            SELECT u.user_id, sync_queue_unpark(u.user_id, \(wakes)) AS is_due
            FROM unnest(\(users.map(\.rawValue))) AS u (user_id)
            WHERE (SELECT true FROM sync_queue WHERE is_parked LIMIT 1)
                AND (SELECT true FROM sync_queue AS p WHERE p.user_id = u.user_id AND p.is_parked LIMIT 1)
            """
        )
    }

    /// Whether nobody has locked the record of a job that a lease still holds, by primary key.
    ///
    /// A row if it is so.
    static func unlocked(_ job: JobID, _ lease: Lease) -> PostgresQuery {
        .byIndex(
            """
            SELECT FROM sync_jobs WHERE job_id = \(job.rawValue) AND lease = \(lease.rawValue) FOR NO KEY UPDATE SKIP LOCKED
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

extension PostgresQuery.StringInterpolation {
    /// Adds the alerts of failed jobs. Left out, it does not touch the table, which may be locked.
    fileprivate mutating func appendInterpolation(alertsOfFinished areThere: Bool) {
        guard areThere else { return }
        appendLiteral(
            """
            , alerted AS (
                INSERT INTO sync_alert_events (kind, job_id, user_id, error)
                SELECT 'job_failed', job_id, user_id, left(error, 2000) FROM finished
                WHERE status = 'failed' AND is_alerted
            )
            """
        )
    }

    /// Adds the lines of finished jobs to their logs. Left out, it does not touch the table, which may be locked.
    fileprivate mutating func appendInterpolation(linesOfFinished areThere: Bool) {
        guard areThere else { return }
        appendLiteral(
            """
            , logged AS (
                INSERT INTO sync_logs (job_id, level, message)
                SELECT job_id,
                    CASE WHEN status = 'failed' THEN 'ERROR' ELSE log_level END,
                    CASE WHEN status = 'failed' THEN 'Sync failed: ' || error ELSE log_message END
                FROM finished
                WHERE is_logged AND (log_message IS NOT NULL OR status = 'failed')
            )
            """
        )
    }
}
