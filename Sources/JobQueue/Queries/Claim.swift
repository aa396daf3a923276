internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Takes up to `slots` due jobs, one per user, in the queue's order.
    ///
    /// Reads `sync_queue_claim`: a skip scan over the priorities that are there, in each of them what is due from its
    /// first entry on, so that what was claimed and still lies before that is passed over once. What is due later is
    /// not read, however much there is. Records and then their queue rows are locked in that order with SKIP LOCKED
    /// before anything changes, until `window` of them are, so no two claims hold one job, nobody waits, also not for a
    /// person who has a queue row locked, and claims side by side take what follows on each other; `scan` bounds what
    /// is passed over because others have it. `sync_queue_running` tells the users who have a job running, and is what
    /// two claims meet at that take different jobs of one user at once: the second waits there for the first, fails
    /// with `uniqueViolation`, as does one whose snapshot is older than another's commit, and is made again. All claim
    /// in the order of the users, so that none waits for one that waits for it. If the job that the other began is
    /// being taken from it by an outside statement, the claim waits for that statement, which may come to wait for a
    /// record of this claim: so it gives way.
    ///
    /// Jobs of users who have one running are parked, out of the index, so that nobody passes over them again. The
    /// share lock on the running queue row makes whoever ends that job wait until the parking is committed, and then
    /// see it. Jobs of paused users are parked in the same way, and so is the lock on their pauses, which ending one
    /// waits for. While everything is paused, `sync_queue_claim` is not read, and `sync_queue_forced` tells what runs
    /// all the same. Where nothing is paused, that costs three looks into an empty index.
    ///
    /// Once a record is locked, it and its queue row are changed by their `ctid`, which saves looking them up again.
    /// Both or none: a record that was changed between the snapshot and the lock is not `seen` in the snapshot and is
    /// left for the next claim; the queue row goes first, and if it was changed meanwhile, neither is. `coalesce`
    /// keeps the planner from reading all of a partial index instead, which on a table that was empty when it planned
    /// looks as cheap.
    ///
    /// What outside roles may write as `run_at` is compared and never reckoned with: `-infinity` is due, `infinity`
    /// never is.
    ///
    /// What it asks of a job is in ``ClaimCondition``, from which `claimConditions` says why a job is not claimed: a
    /// condition that is added here is added there.
    ///
    /// Each row: `has_more`, whether it stopped before the end of what is due; the last entry it is done with, NULLs
    /// if there was none (`last_priority`, `last_run_at`, `last_job_id`): no job up to there could be claimed but
    /// those that were; `pause_ends_in`, the seconds until the next pause ends by itself, a day at most, read from
    /// `sync_pauses_until`; `claimed_count`, more than there are jobs where a trigger has kept records from being
    /// changed, whose queue rows `returnSwallowed` gives back; then the claimed job, or NULLs if there is none.
    ///
    /// - Parameters:
    ///   - window: records to lock, at least `slots`.
    ///   - position: entries up to it are not read; nil for all.
    ///   - passedOver: jobs that are not to be claimed, and users none of whose jobs is.
    ///   - firstLease: the number of the first job's lease; those of the others follow.
    static func claim(
        slots: Int,
        window: Int,
        after position: ClaimPosition?,
        except passedOver: PassedOver = PassedOver(),
        worker: String,
        firstLease: Lease,
        lease: Duration
    ) -> PostgresQuery {
        let scan = window + Self.passedOver
        let (jobs, users) = (passedOver.jobs, passedOver.users)
        return .byIndexGivingWay(
            """
            WITH RECURSIVE queue AS MATERIALIZED (
                SELECT \(ClaimCondition.isQueueOpen) AS is_open
            ), start AS MATERIALIZED (
                SELECT *
                FROM (VALUES (
                    \(position?.priority ?? .min), \(position?.runAt ?? .minusInfinity), \(position?.id ?? ClaimPosition.lowestID)
                )) AS given (priority, run_at, job_id)
            ), level AS (
                (SELECT q.priority, q.run_at, q.job_id FROM sync_queue AS q
                 WHERE \(ClaimCondition.isListed) AND (q.priority, q.run_at, q.job_id) > (
                     (SELECT priority FROM start), (SELECT run_at FROM start), (SELECT job_id FROM start))
                     AND (SELECT is_open FROM queue)
                 ORDER BY q.priority, q.run_at, q.job_id LIMIT 1)
                UNION ALL
                SELECT next.*
                FROM level AS l
                CROSS JOIN LATERAL (
                    SELECT q.priority, q.run_at, q.job_id FROM sync_queue AS q
                    WHERE \(ClaimCondition.isListed) AND q.priority > l.priority
                    ORDER BY q.priority, q.run_at, q.job_id LIMIT 1
                ) AS next
            ), due AS MATERIALIZED (
                SELECT d.*
                FROM level AS l
                CROSS JOIN LATERAL (
                    SELECT q.ctid AS place, q.job_id, q.user_id, q.priority, q.run_at, q.is_forced
                    FROM sync_queue AS q
                    WHERE \(ClaimCondition.isListed) AND q.priority = l.priority AND \(ClaimCondition.isDue)
                        AND (q.run_at, q.job_id) >= (l.run_at, l.job_id)
                        AND q.job_id <> ALL (\(jobs)) AND q.user_id NOT IN (SELECT u.user_id FROM unnest(\(users)) AS u (user_id))
                    ORDER BY q.run_at, q.job_id
                    LIMIT \(scan)
                ) AS d
                UNION ALL
                (SELECT q.ctid, q.job_id, q.user_id, q.priority, q.run_at, q.is_forced FROM sync_queue AS q
                 WHERE q.is_forced AND \(ClaimCondition.isListed) AND \(ClaimCondition.isDue)
                     AND NOT (SELECT is_open FROM queue)
                     AND q.job_id <> ALL (\(jobs)) AND q.user_id NOT IN (SELECT u.user_id FROM unnest(\(users)) AS u (user_id))
                 ORDER BY q.priority, q.run_at, q.job_id LIMIT \(scan))
                LIMIT \(scan)
            ), held AS MATERIALIZED (
                SELECT d.*, record.record_place
                FROM due AS d
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS record_place FROM sync_jobs AS j
                    WHERE j.job_id = d.job_id AND \(ClaimCondition.isQueued)
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS record
                CROSS JOIN LATERAL (
                    SELECT FROM sync_queue AS q
                    WHERE q.ctid = d.place AND q.job_id = d.job_id AND \(ClaimCondition.isListed)
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS entry
                LIMIT \(window)
            ), paused AS MATERIALIZED (
                SELECT q.user_id
                FROM (SELECT DISTINCT user_id FROM held WHERE NOT is_forced) AS q
                CROSS JOIN LATERAL (\(ClaimCondition.userPause)) AS p
                WHERE (SELECT true FROM sync_pauses WHERE scope = 'user' LIMIT 1)
            ), first_of_user AS MATERIALIZED (
                SELECT q.*, (SELECT true \(ClaimCondition.runningJob)) AS is_busy
                FROM (
                    SELECT DISTINCT ON (user_id) * FROM held
                    WHERE is_forced OR user_id <> ALL (ARRAY(SELECT user_id FROM paused))
                    ORDER BY user_id, priority, run_at, job_id
                ) AS q
            ), taken AS MATERIALIZED (
                SELECT place, record_place, job_id, priority, run_at, \(firstLease.rawValue) - 1 + row_number() OVER () AS lease
                FROM (SELECT * FROM first_of_user WHERE is_busy IS NULL ORDER BY priority, run_at, job_id LIMIT \(slots)) AS free
                ORDER BY user_id
            ), extent AS MATERIALIZED (
                -- Where this claim has come to; the rest of what is due is counted only if it had to be read.
                SELECT CASE WHEN is_filled OR is_full THEN true ELSE (SELECT count(*) FROM due) = \(scan) END AS has_more,
                    is_filled, is_full
                FROM (SELECT (SELECT count(*) FROM taken) = \(slots) AS is_filled,
                          (SELECT count(*) FROM held) = \(window) AS is_full) AS h
            ), claimed AS (
                UPDATE sync_queue AS q
                SET lease = t.lease, lease_expires_at = clock_timestamp() + make_interval(secs => \(lease.seconds)),
                    is_renewed = false, gate = NULL
                FROM taken AS t
                JOIN sync_jobs AS seen ON seen.ctid = t.record_place
                WHERE q.ctid = t.place AND q.job_id = t.job_id AND coalesce(q.lease, 0) = 0 AND NOT q.is_parked
                RETURNING q.job_id, q.user_id, q.lease, t.record_place
            ), begun AS (
                UPDATE sync_jobs AS j
                SET status = 'running',
                    lease = c.lease,
                    last_write = 0,
                    worker = \(worker),
                    attempt = least(j.attempt, 2147483646) + 1,
                    started_at = coalesce(j.started_at, clock_timestamp())
                FROM claimed AS c
                WHERE j.ctid = c.record_place
                RETURNING j.job_id, j.user_id, j.lease, coalesce(j.full_sync, false) AS full_sync, j.attempt,
                    j.max_attempts, j.crashes, j.started_at, left(j.traceparent, 255) AS traceparent,
                    CASE WHEN isfinite(j.run_at) THEN greatest(extract(epoch FROM clock_timestamp() - j.run_at), 0)::float8
                         ELSE 0 END AS waited
            ), blocking AS MATERIALIZED (
                SELECT user_id FROM sync_queue
                WHERE lease IS NOT NULL AND user_id = ANY (ARRAY(SELECT user_id FROM first_of_user WHERE is_busy))
                FOR SHARE SKIP LOCKED
            ), pausing AS MATERIALIZED (
                SELECT u.user_id
                FROM paused AS u
                CROSS JOIN LATERAL (
                    SELECT FROM sync_pauses AS p WHERE p.scope = 'user' AND p.key = u.user_id FOR SHARE SKIP LOCKED
                ) AS p
            ), parked AS (
                UPDATE sync_queue
                SET is_parked = true
                WHERE coalesce(lease, 0) = 0 AND NOT is_parked AND ctid = ANY (ARRAY(
                    SELECT place FROM held
                    WHERE user_id IN (SELECT user_id FROM blocking UNION ALL SELECT user_id FROM claimed)
                        AND job_id <> ALL (ARRAY(SELECT job_id FROM claimed))
                    UNION ALL
                    SELECT place FROM held
                    WHERE NOT is_forced AND user_id = ANY (ARRAY(SELECT user_id FROM pausing))))
            )
            SELECT extent.has_more, last.*,
                (SELECT extract(epoch FROM least(paused_until, now() + interval '1 day') - now())::float8 FROM sync_pauses
                 WHERE paused_until > now() ORDER BY paused_until LIMIT 1) AS pause_ends_in,
                (SELECT count(*) FROM claimed) AS claimed_count,
                b.job_id, b.user_id, b.lease, b.full_sync, b.attempt,
                b.max_attempts, b.crashes, b.started_at, b.traceparent, b.waited
            FROM extent
            LEFT JOIN LATERAL (
                SELECT priority AS last_priority, run_at AS last_run_at, job_id AS last_job_id
                FROM (
                    SELECT priority, run_at, job_id FROM taken WHERE extent.is_filled
                    UNION ALL
                    SELECT priority, run_at, job_id FROM held WHERE extent.is_full AND NOT extent.is_filled
                    UNION ALL
                    SELECT priority, run_at, job_id FROM due
                    WHERE NOT extent.is_full AND NOT extent.is_filled
                ) AS passed
                -- Forced jobs that pass a pause say nothing of those before them.
                WHERE (SELECT is_open FROM queue)
                ORDER BY priority DESC, run_at DESC, job_id DESC LIMIT 1
            ) AS last ON true
            LEFT JOIN begun AS b ON true
            """
        )
    }

    /// Entries that a claim passes over at most because others hold their records, which costs some microseconds
    /// each: more than the claims of many workers, less than what a statement over the whole table locks.
    private static let passedOver = 4096

    /// The jobs that were claimed with these leases, for a claim whose answer was lost. Reads `sync_queue_running`,
    /// all of it, which happens once for each lost answer.
    ///
    /// Each row: a claimed job.
    static func claimed(with leases: ClosedRange<Int64>) -> PostgresQuery {
        .byIndex(
            """
            SELECT j.job_id, j.user_id, j.lease, coalesce(j.full_sync, false) AS full_sync, j.attempt, j.max_attempts,
                j.crashes, j.started_at, left(j.traceparent, 255) AS traceparent, 0::float8 AS waited
            FROM sync_queue AS q
            CROSS JOIN LATERAL (
                SELECT * FROM sync_jobs AS s WHERE s.job_id = q.job_id AND s.lease = q.lease LIMIT 1
            ) AS j
            WHERE q.lease IS NOT NULL AND q.lease BETWEEN \(leases.lowerBound) AND \(leases.upperBound)
            """
        )
    }

    /// Draws a block of lease numbers that nobody else has: its first.
    static func drawLeases() -> PostgresQuery {
        "SELECT nextval('sync_lease_seq') AS first"
    }
}

extension ClaimedJob {
    /// Reads a row of `claim`; nil for the row that says there is none.
    init?(_ row: PostgresRow) throws {
        guard let id = try row.decode("job_id", as: UUID?.self) else { return nil }
        self.init(
            id: JobID(id),
            userID: UserID(try row.decode("user_id")),
            lease: Lease(try row.decode("lease")),
            isFullSync: try row.decode("full_sync"),
            attempt: try row.decode("attempt"),
            maximumAttempts: try row.decode("max_attempts"),
            crashes: try row.decode("crashes"),
            startedAt: try row.decode("started_at"),
            traceparent: try row.decode("traceparent")
        )
    }
}
