import JobQueue

extension JSONValue {
    /// A job as `/internal/sync/status` gives it.
    static func status(of job: JobRecord) -> JSONValue {
        [
            "job_id": .string("\(job.id)"),
            "status": .string(job.status.rawValue),
            "progress": progress(of: job),
            "created_at": .time(job.createdAt),
            "completed_at": .time(job.completedAt),
            "error_message": .string(job.errorMessage),
        ]
    }

    /// A job of `/internal/sync/jobs`.
    static func entry(of job: JobRecord) -> JSONValue {
        [
            "job_id": .string("\(job.id)"),
            "user_id": .string("\(job.userID)"),
            "status": .string(job.status.rawValue),
            "full_sync": .bool(job.isFullSync),
            "progress": progress(of: job),
            "created_at": .time(job.createdAt),
            "run_at": .due(job.runAt),
            "started_at": .time(job.startedAt),
            "completed_at": .time(job.completedAt),
            "attempt": .int(job.attempt),
            "max_attempts": .int(job.maximumAttempts),
            "crashes": .int(job.crashes),
            "snoozes": .int(job.snoozes),
            "worker": .string(job.worker),
            "error_message": .string(job.errorMessage),
            "last_error": .string(job.lastError),
            "last_error_at": .time(job.lastErrorAt),
        ]
    }

    private static func progress(of job: JobRecord) -> JSONValue {
        [
            "total_notes": .int(job.totalNotes),
            "processed_notes": .int(job.processedNotes),
            "failed_notes": .int(job.failedNotes),
        ]
    }
}
