internal import Foundation
internal import Postgres

extension PostgresQuery {
    /// Puts a job into the queue. `runAt` nil is now; the trigger of the table wakes a worker.
    ///
    /// - Parameter isForced: whether it runs in spite of a pause.
    static func enqueue(
        _ id: JobID,
        user: UserID,
        fullSync: Bool,
        priority: Int,
        runAt: Date?,
        traceparent: String?,
        isForced: Bool
    ) -> PostgresQuery {
        """
        INSERT INTO sync_jobs (job_id, user_id, status, full_sync, priority, run_at, traceparent, is_forced)
        VALUES (\(id.rawValue), \(user.rawValue), 'queued', \(fullSync), \(Int16(clamping: priority)),
            coalesce(\(runAt), now()), \(traceparent), \(isForced))
        """
    }
}
