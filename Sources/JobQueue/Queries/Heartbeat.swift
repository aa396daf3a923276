internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Renews the leases of all jobs of a worker and shows that the worker is alive, in one statement.
    ///
    /// Looks each queue row up by `sync_queue_running` and locks it with SKIP LOCKED, so that it waits for nobody. A
    /// row is locked for a moment by a claim that parks jobs behind it, and for longer by an outside transaction that
    /// takes the job away. The worker's own row is passed over in the same way if it is locked; of a table that is
    /// locked it fails soon, and ``renewLeases(_:lease:)`` touches that one alone which has the leases.
    ///
    /// Each row: `job_id` of a lease that is still held, and `is_renewed`. What is missing is no longer this worker's.
    static func heartbeat(
        worker: WorkerPresence,
        jobs: [(id: JobID, user: UserID, lease: Lease)],
        ended: EndedJobs,
        lease: Duration
    ) -> PostgresQuery {
        .byIndexGivingWay(
            """
            WITH entry AS MATERIALIZED (
                SELECT ctid AS place FROM sync_workers WHERE instance = \(worker.instance.rawValue)
                FOR NO KEY UPDATE SKIP LOCKED
            ), present AS (
                UPDATE sync_workers
                SET last_seen_at = now(), slots = \(worker.slots), running = \(worker.running ?? jobs.count),
                    wakeable = CASE WHEN \(worker.wakeups.change) > wakeable_seq THEN \(worker.wakeups.isWakeable) ELSE wakeable END,
                    wakeable_seq = greatest(\(worker.wakeups.change), wakeable_seq), listening = \(worker.isListening),
                    first_lease = \(worker.firstLease.rawValue),
                    claims_held_since = CASE WHEN \(worker.holdsClaims) THEN coalesce(claims_held_since, now()) END,
                    claims_failing_since = CASE WHEN \(worker.isFailing) THEN coalesce(claims_failing_since, now()) END,
                    present_until = clock_timestamp() + make_interval(secs => \(lease.seconds / 2))
                WHERE ctid = ANY (ARRAY(SELECT place FROM entry))
            ), arrived AS (
                INSERT INTO sync_workers (instance, worker, slots, running, wakeable, wakeable_seq, version, listening,
                    first_lease, claims_held_since, claims_failing_since, present_until)
                SELECT \(worker.instance.rawValue), \(worker.name), \(worker.slots), \(worker.running ?? jobs.count),
                    \(worker.wakeups.isWakeable), \(worker.wakeups.change), \(worker.version), \(worker.isListening),
                    \(worker.firstLease.rawValue), CASE WHEN \(worker.holdsClaims) THEN now() END,
                    CASE WHEN \(worker.isFailing) THEN now() END,
                    clock_timestamp() + make_interval(secs => \(lease.seconds / 2))
                WHERE (SELECT true FROM sync_workers WHERE instance = \(worker.instance.rawValue) LIMIT 1) IS NULL
                ON CONFLICT DO NOTHING
            ), counted AS (
                \(counting: ended, by: worker.name)
            ), \(renewing: jobs, lease)
            """
        )
    }

    /// The leases alone, without a word of the worker; rows as those of a heartbeat.
    static func renewLeases(_ jobs: [(id: JobID, user: UserID, lease: Lease)], lease: Duration) -> PostgresQuery {
        .byIndexGivingWay("WITH \(renewing: jobs, lease)")
    }

    /// Adds jobs that have ended to the worker's counts, without a heartbeat.
    static func count(_ ended: EndedJobs, by worker: String) -> PostgresQuery {
        "\(counting: ended, by: worker)"
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
    static func forgetWorker(_ instance: WorkerInstance) -> PostgresQuery {
        .byIndex(
            "DELETE FROM sync_workers WHERE instance = \(instance.rawValue)"
        )
    }

    /// Says that a worker has ended in order, or is about to, and with which leases, whose jobs it runs no more though
    /// nothing else says so. By primary key.
    static func recordStop(of instance: WorkerInstance, named name: String, leaving leases: [Lease]) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_stopped_workers AS s (instance, worker, leases)
            VALUES (\(instance.rawValue), \(name), \(leases.map(\.rawValue)))
            ON CONFLICT (instance) DO UPDATE SET stopped_at = now(), leases = s.leases || excluded.leases
            """
        )
    }

    /// Says whether the worker is to be woken by NOTIFY, unless a later change has been written already. A row that
    /// somebody has locked is passed over: a heartbeat says it later.
    static func setWakeable(_ state: WakeupState, instance: WorkerInstance) -> PostgresQuery {
        .byIndex(
            """
            UPDATE sync_workers SET wakeable = \(state.isWakeable), wakeable_seq = \(state.change)
            WHERE wakeable_seq < \(state.change) AND ctid = ANY (ARRAY(
                SELECT ctid FROM sync_workers WHERE instance = \(instance.rawValue) FOR NO KEY UPDATE SKIP LOCKED))
            """
        )
    }

    /// The workers of the same name that have sent a heartbeat since this one's first. A scan of a table with a row per
    /// worker.
    static func namesakes(of instance: WorkerInstance) -> PostgresQuery {
        """
        SELECT other.instance
        FROM sync_workers AS own
        JOIN sync_workers AS other ON other.worker = own.worker AND other.instance <> own.instance
            AND other.last_seen_at > own.started_at
        WHERE own.instance = \(instance.rawValue)
        """
    }

    /// Wakes the worker that has least to do but for this one, if there is one to be woken.
    ///
    /// One row: `is_woken`.
    static func wakeAnother(than instance: WorkerInstance) -> PostgresQuery {
        "SELECT sync_queue_wake(\(instance.rawValue)) AS is_woken"
    }
}

extension PostgresQuery.StringInterpolation {
    /// Renews the leases of jobs; what follows WITH.
    fileprivate mutating func appendInterpolation(
        renewing jobs: [(id: JobID, user: UserID, lease: Lease)],
        _ lease: Duration
    ) {
        appendLiteral("given AS MATERIALIZED (SELECT * FROM unnest(")
        appendInterpolation(jobs.map(\.id.rawValue))
        appendLiteral(", ")
        appendInterpolation(jobs.map(\.user.rawValue))
        appendLiteral(", ")
        appendInterpolation(jobs.map(\.lease.rawValue))
        appendLiteral(
            """
            ) AS g (job_id, user_id, lease)
            ), locked AS MATERIALIZED (
                SELECT q.place
                FROM given AS g
                CROSS JOIN LATERAL (
                    SELECT s.ctid AS place FROM sync_queue AS s
                    WHERE s.user_id = g.user_id AND s.lease = g.lease AND s.lease IS NOT NULL
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS q
            ), renewed AS (
                UPDATE sync_queue
                SET lease_expires_at = clock_timestamp() + make_interval(secs =>
            """
        )
        appendLiteral(" ")
        appendInterpolation(lease.seconds)
        appendLiteral(
            """
            ), is_renewed = true
                WHERE ctid = ANY (ARRAY(SELECT place FROM locked))
                RETURNING job_id
            )
            SELECT g.job_id, g.job_id = ANY (ARRAY(SELECT job_id FROM renewed)) AS is_renewed
            FROM given AS g
            WHERE (SELECT true FROM sync_queue AS s
                   WHERE s.user_id = g.user_id AND s.lease = g.lease AND s.lease IS NOT NULL LIMIT 1)
            """
        )
    }

    /// Adds jobs that have ended to the worker's counts of this minute, by primary key.
    fileprivate mutating func appendInterpolation(counting ended: EndedJobs, by worker: String) {
        appendLiteral(
            """
            INSERT INTO sync_throughput AS t (minute, worker, completed, failed)
            SELECT date_trunc('minute', now()),
            """
        )
        appendLiteral(" ")
        appendInterpolation(worker)
        appendLiteral(", ")
        appendInterpolation(ended.completed)
        appendLiteral(", ")
        appendInterpolation(ended.failed)
        appendLiteral(" WHERE ")
        appendInterpolation(ended.completed)
        appendLiteral(" + ")
        appendInterpolation(ended.failed)
        appendLiteral(
            """
             > 0
            ON CONFLICT (minute, worker) DO UPDATE
            SET completed = t.completed + excluded.completed, failed = t.failed + excluded.failed
            """
        )
    }
}

/// Jobs that ended since the last heartbeat.
struct EndedJobs: Sendable {
    var completed = 0
    var failed = 0
}

/// What a worker tells of itself with every heartbeat.
struct WorkerPresence: Sendable {
    var instance: WorkerInstance
    var name: String
    var slots: Int
    /// Its running jobs; nil: those whose leases are renewed.
    var running: Int? = nil
    var version: String
    var wakeups = WakeupState()
    /// Whether it hears notifications; nil where it listens for none.
    var isListening: Bool? = nil
    /// Whether it claims no jobs for a while.
    var holdsClaims = false
    /// Whether the database refuses its claims, or the results of its jobs.
    var isFailing = false
    /// The first number that this process may have given to a lease.
    var firstLease = Lease(.max)
}

/// Whether a worker is to be woken by NOTIFY.
struct WakeupState: Sendable {
    var isWakeable = true
    /// Number of the change that said so. What is written late must not undo what was written after it.
    var change: Int32 = 0
}
