internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Puts notes on the list of failed ones. By primary key.
    static func rememberFailures(_ failures: [FailureRecord], user: UserID, job: JobID) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_failed_notes AS f (user_id, keep_note_id, keep_modified_at, code, error, job_id)
            SELECT \(user.rawValue), note_id, modified_at, code, error, \(job.rawValue)
            FROM unnest(
                \(failures.map(\.noteID)), \(failures.map { $0.modifiedAt?.date }), \(failures.map(\.code)),
                \(failures.map(\.error))
            ) AS new (note_id, modified_at, code, error)
            ON CONFLICT (user_id, keep_note_id) DO UPDATE
            SET keep_modified_at = excluded.keep_modified_at, code = excluded.code, error = excluded.error,
                job_id = excluded.job_id, failures = f.failures + 1, last_failed_at = now()
            """
        )
    }

    /// Takes notes off the list. By primary key.
    static func forgetFailures(_ notes: [String], user: UserID) -> PostgresQuery {
        .byIndex(
            "DELETE FROM sync_failed_notes WHERE user_id = \(user.rawValue) AND keep_note_id = ANY (\(notes))"
        )
    }
}
