internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// The page that is on record for a note. By the unique index on user and note.
    ///
    /// A row, if there is one: a ``NoteLife/Page``.
    static func page(ofNote note: String, user: UserID) -> PostgresQuery {
        .byIndex(
            """
            SELECT notion_page_id, notion_database_id, keep_modified_at, last_synced_at FROM sync_state
            WHERE user_id = \(user.rawValue) AND keep_note_id = \(note)
            """
        )
    }

    /// The write of a note that is open or of unknown outcome. By primary key.
    ///
    /// A row, if there is one: a ``NoteLife/Write``.
    static func write(ofNote note: String, user: UserID) -> PostgresQuery {
        .byIndex(
            """
            SELECT operation, notion_page_id, notion_database_id, keep_modified_at, job_id, created_at, open_until, unknown_at,
                unknown_count, resolution, reason, coalesce(open_until > clock_timestamp(), false) AS is_under_way
            FROM sync_intents WHERE user_id = \(user.rawValue) AND keep_note_id = \(note)
            """
        )
    }

    /// Earlier requests of a note of which nothing was heard, the first ones. By primary key.
    ///
    /// Each row: `operation`, `sent_at`, `job_id`, `is_surplus`, whether what it may have made is a surplus page.
    static func unheardRequests(ofNote note: String, user: UserID, limit: Int) -> PostgresQuery {
        .byIndex(
            """
            SELECT operation, sent_at, job_id, surplus_since IS NOT NULL AS is_surplus FROM sync_unheard_requests
            WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) ORDER BY request LIMIT \(limit)
            """
        )
    }

    /// Pages beside a note's own. By primary key.
    ///
    /// Each row: `notion_page_id`, `found_at`, `job_id`.
    static func surplusPages(ofNote note: String, user: UserID, limit: Int) -> PostgresQuery {
        .byIndex(
            """
            SELECT notion_page_id, found_at, job_id FROM sync_surplus_pages
            WHERE user_id = \(user.rawValue) AND keep_note_id = \(note) ORDER BY notion_page_id LIMIT \(limit)
            """
        )
    }

    /// The newest lines about a note in the logs of the user's newest jobs and of some others. By
    /// `sync_jobs_user_recent`, then `sync_logs_job`, of each job twenty thousand lines at most.
    ///
    /// Each row: `created_at`, `level`, `message`, `job_id`.
    static func logLines(
        ofNote note: String,
        user: UserID,
        jobs: [JobID],
        newest: Int,
        limit: Int
    ) -> PostgresQuery {
        .byIndex(
            """
            WITH jobs AS MATERIALIZED (
                (SELECT job_id FROM sync_jobs WHERE user_id = \(user.rawValue)
                 ORDER BY created_at DESC, job_id DESC LIMIT \(newest))
                UNION SELECT unnest(\(jobs.map(\.rawValue)))
            )
            SELECT l.created_at, l.level, l.message, l.job_id
            FROM jobs AS j CROSS JOIN LATERAL (
                SELECT s.* FROM (SELECT * FROM sync_logs WHERE job_id = j.job_id OFFSET 0) AS s
                WHERE s.keep_note_id = \(note) ORDER BY s.id DESC LIMIT \(limit)
            ) AS l
            ORDER BY l.id DESC LIMIT \(limit)
            """
        )
    }
}
