internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// The newest `limit` lines of a job's log, oldest first, by the index on the job.
    static func logs(of id: JobID, limit: Int) -> PostgresQuery {
        """
        SELECT id, created_at, level, message, keep_note_id FROM (
            SELECT id, created_at, level, left(message, \(shortText)) AS message, keep_note_id FROM sync_logs
            WHERE job_id = \(id.rawValue)
            ORDER BY id DESC
            LIMIT \(limit)
        ) AS newest
        ORDER BY id
        """
    }

    /// A page of the lines of a job's log behind one of them, whole, the oldest first. By `sync_logs_job`, which all
    /// lines of the job are read by: the primary key has those of all jobs. A run writes twenty thousand lines at most.
    ///
    /// - Parameter levels: the levels of the lines; nil: all, also such as this program does not know.
    static func logPage(of id: JobID, after line: Int64, levels: [String]?, limit: Int) -> PostgresQuery {
        .byIndex(
            """
            SELECT l.id, l.created_at, l.level, l.message, l.keep_note_id
            FROM (SELECT * FROM sync_logs WHERE job_id = \(id.rawValue) AND id > \(line) OFFSET 0) AS l
            WHERE \(levels)::text[] IS NULL OR l.level = ANY (\(levels)::text[])
            ORDER BY l.id LIMIT \(limit)
            """
        )
    }

    /// When the last line was written to a job's log: when something last came of it. By `sync_logs_job`; a run writes
    /// twenty thousand lines at most.
    ///
    /// One row: `at`, NULL if there is no line.
    static func lastLine(of id: JobID) -> PostgresQuery {
        .byIndex("SELECT max(created_at) AS at FROM sync_logs WHERE job_id = \(id.rawValue)")
    }
}
