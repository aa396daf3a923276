internal import Foundation
internal import JobQueue
internal import Postgres

extension PostgresQuery {
    /// Adds lines to a job's log, in their order.
    static func insertLogs(_ lines: [LogLine], job: JobID) -> PostgresQuery {
        .byIndex(
            """
            INSERT INTO sync_logs (job_id, keep_note_id, level, message)
            SELECT \(job.rawValue), note_id, level, message
            FROM unnest(\(lines.map(\.noteID)), \(lines.map(\.level.rawValue)), \(lines.map(\.message)))
                WITH ORDINALITY AS new (note_id, level, message, position)
            ORDER BY position
            """
        )
    }
}
