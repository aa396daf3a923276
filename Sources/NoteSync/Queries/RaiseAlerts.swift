internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Puts into the outbox of alerts that a user's credentials were changed outside, if the lease is still held. By
    /// the unique index on running users.
    static func alertOfChangedCredentials(_ explanation: String, of job: ClaimedJob) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_alert_events (kind, job_id, user_id, error)
            SELECT 'credentials_changed_outside', job_id, user_id, \(explanation)
            FROM sync_queue
            WHERE user_id = \(job.userID.rawValue) AND job_id = \(job.id.rawValue) AND lease = \(job.lease.rawValue)
            """
        )
    }
}
