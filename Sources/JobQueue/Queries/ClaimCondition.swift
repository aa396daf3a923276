internal import Postgres

/// What a claim asks of a job, condition by condition: `q` is its queue row, `j` its record, `p` a pause.
///
/// `claim` takes a job that meets all of them, and `claimConditions` says which of them a job does not meet. Both are
/// made of these fragments, so that no answer to "why does it not run" differs from what a claim does.
enum ClaimCondition {
    /// It stands in `sync_queue_claim`: nobody has claimed it, and it is not parked.
    static let isListed: PostgresFragment = "q.lease IS NULL AND NOT q.is_parked"
    static let isDue: PostgresFragment = "q.run_at <= now()"
    static let isQueued: PostgresFragment = "j.status = 'queued'"
    /// The time of the pause is not over.
    static let isOngoing: PostgresFragment = "(p.paused_until IS NULL OR p.paused_until > now())"
    /// Neither everything nor a peer is paused; forced jobs pass all the same. Two looks by `sync_pauses_pkey`.
    static let isQueueOpen: PostgresFragment = """
        coalesce(
            (SELECT true FROM sync_pauses AS p WHERE p.scope = 'all' AND \(isOngoing) LIMIT 1),
            (SELECT true FROM sync_pauses AS p WHERE p.scope = 'peer' AND \(isOngoing) LIMIT 1)) IS NULL
        """
    /// A row if its user is paused; forced jobs pass all the same. By `sync_pauses_pkey`.
    static let userPause: PostgresFragment = """
        SELECT true FROM sync_pauses AS p WHERE p.scope = 'user' AND p.key = q.user_id AND \(isOngoing) LIMIT 1
        """
    /// The queue row `r` of the job of its user that runs, if one does. By `sync_queue_running`.
    static let runningJob: PostgresFragment = """
        FROM sync_queue AS r WHERE r.user_id = q.user_id AND r.lease IS NOT NULL LIMIT 1
        """
}

extension ClaimCondition {
    /// The transactions that run, and what locks a row is one of: `locks` of `claimConditions`.
    ///
    /// A claim finds out by SKIP LOCKED. Who only asks takes no lock, as a claim would pass over the job meanwhile, and
    /// goes by the row's `xmax`. That names no session where several share a lock; and one that has inserted a row that
    /// refers to the job's, and not committed, it names though a claim does not mind it.
    static let runningTransactions: PostgresFragment = """
        SELECT transactionid, coalesce(pid, 0) AS pid FROM pg_locks WHERE locktype = 'transactionid' AND granted
        """
    /// The process that has the record locked, 0 for a prepared transaction.
    static let recordLocker: PostgresFragment = "(SELECT l.pid FROM locks AS l WHERE l.transactionid = j.xmax LIMIT 1)"
    /// The process that has the queue row locked.
    static let entryLocker: PostgresFragment = "(SELECT l.pid FROM locks AS l WHERE l.transactionid = q.locker LIMIT 1)"
}
