internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// How many writes of the view `sync_unknown_writes` a job has sent last: `count`. By primary key.
    static func countUnknownWrites(of job: JobID, user: UserID) -> PostgresQuery {
        """
        SELECT count(*) AS count FROM sync_intents AS i
        JOIN sync_unknown_writes AS w ON w.user_id = i.user_id AND w.keep_note_id = i.keep_note_id
        WHERE i.user_id = \(user.rawValue) AND i.job_id = \(job.rawValue)
        """
    }

    /// How many writes of unknown outcome a user has, as they are listed. By `sync_intents_pkey`.
    ///
    /// One row: `count`.
    static func countUnknownWrites(of user: UserID) -> PostgresQuery {
        "SELECT count(*) AS count FROM sync_unknown_writes WHERE user_id = \(user.rawValue)"
    }
}
