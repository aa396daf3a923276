internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Puts notes on the list of failed ones. By primary key.
    static func rememberFailures(_ failures: [FailureRecord], user: UserID, job: JobID) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_failed_notes AS f (user_id, keep_note_id, keep_modified_at, code, error, job_id, content_hash,
                notion_database_id)
            SELECT \(user.rawValue), note_id, modified_at, code, error, \(job.rawValue), hash, database_id
            FROM unnest(
                \(failures.map(\.noteID)), \(failures.map { $0.modifiedAt?.date }), \(failures.map(\.code)),
                \(failures.map(\.error)), \(failures.map { $0.hash?.text }), \(failures.map { $0.databaseID?.text })
            ) AS new (note_id, modified_at, code, error, hash, database_id)
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET keep_modified_at = excluded.keep_modified_at, code = excluded.code, error = excluded.error,
                content_hash = excluded.content_hash, notion_database_id = excluded.notion_database_id,
                job_id = excluded.job_id, failures = least(f.failures, 2147483646) + 1, last_failed_at = now()
            """
        )
    }

    /// Notes on the list, those that failed last first; `user` nil for all, `note` nil for all of the
    /// user. Reads the whole list, and `sync_intents` by primary key; of a user or a note by primary key too.
    static func failedNotes(user: UserID?, note: String? = nil, limit: Int) -> PostgresQuery {
        """
        SELECT user_id, keep_note_id, code, error, failures, first_failed_at, last_failed_at, job_id,
            content_hash IS NOT NULL AND code IN (\(FailureRecord.rejectedCode), \(FailureRecord.deferredCode)) AS is_withheld,
            EXISTS (SELECT FROM sync_intents AS i
                    WHERE i.user_id = f.user_id AND i.keep_note_id = f.keep_note_id) AS has_open_write,
            EXISTS (SELECT FROM sync_intents AS i
                    WHERE i.user_id = f.user_id AND i.keep_note_id = f.keep_note_id AND i.resolution = 'retry'
                        AND i.unknown_at IS NOT NULL) AS is_write_retried
        FROM sync_failed_notes AS f
        WHERE (\(user?.rawValue)::text IS NULL OR user_id = \(user?.rawValue))
            AND (\(note)::text IS NULL OR keep_note_id = \(note))
        ORDER BY last_failed_at DESC, user_id, keep_note_id
        LIMIT \(limit)
        """
    }

    /// Forgets of which content it was that notes were refused or left for later, so that it is sent again though it
    /// has not changed. They stay on the list, which is what has them asked for. By primary key.
    ///
    /// - Parameter note: nil for all of the user.
    static func releaseFailures(of user: UserID, note: String?) -> PostgresQuery {
        """
        UPDATE sync_failed_notes SET content_hash = NULL
        WHERE user_id = \(user.rawValue) AND (\(note)::text IS NULL OR keep_note_id = \(note)) AND content_hash IS NOT NULL
            AND code IN (\(FailureRecord.rejectedCode), \(FailureRecord.deferredCode))
        """
    }

    /// What is on the list, of the user or of a note alone. By primary key, that of `sync_intents` too.
    ///
    /// One row: `count`; `waiting`, how many have a write whose outcome is unknown.
    static func countFailures(of user: UserID, note: String?) -> PostgresQuery {
        """
        SELECT count(*) AS count, count(*) FILTER (WHERE EXISTS (
            SELECT FROM sync_intents AS i WHERE i.user_id = f.user_id AND i.keep_note_id = f.keep_note_id)) AS waiting
        FROM sync_failed_notes AS f
        WHERE user_id = \(user.rawValue) AND (\(note)::text IS NULL OR keep_note_id = \(note))
        """
    }

    /// Takes notes off the list, but not what the job itself has put there as its page is a surplus one, nor what an
    /// answer that came late says nothing of: a newer version of the note, or a later request, whose row is there when
    /// those heard are settled. By primary key.
    static func forgetFailures(_ cleared: [ClearedFailure], user: UserID, job: JobID) -> PostgresQuery {
        .byIndex(
            """
            DELETE FROM sync_failed_notes AS f
            USING unnest(
                \(cleared.map(\.noteID)), \(cleared.map { $0.upTo?.date }), \(cleared.map(\.afterRequest))
            ) AS c (note_id, up_to, after_request)
            WHERE f.user_id = \(user.rawValue) AND f.keep_note_id = c.note_id
                AND (c.up_to IS NULL OR f.keep_modified_at <= c.up_to)
                AND NOT (f.code = 'superseded' AND f.job_id = \(job.rawValue))
                AND NOT (c.after_request AND EXISTS (
                    SELECT FROM sync_intents AS i
                    WHERE i.user_id = \(user.rawValue) AND i.keep_note_id = c.note_id))
            """
        )
    }

    /// Takes notes off the list that Keep lists no more, unless a write of theirs is open. By primary key.
    static func forgetVanishedFailures(_ notes: [String], user: UserID) -> PostgresQuery {
        .byIndex(
            """
            DELETE FROM sync_failed_notes AS f
            WHERE f.user_id = \(user.rawValue) AND f.keep_note_id = ANY (\(notes))
                AND NOT EXISTS (SELECT FROM sync_intents AS i
                                WHERE i.user_id = f.user_id AND i.keep_note_id = f.keep_note_id)
            """
        )
    }
}
