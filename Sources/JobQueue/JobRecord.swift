public import Foundation
internal import Postgres

/// A job as its row stands.
public struct JobRecord: Sendable {
    public let id: JobID
    public let userID: UserID
    public let status: JobStatus
    public let isFullSync: Bool
    public let totalNotes: Int
    public let processedNotes: Int
    public let failedNotes: Int
    /// Whether it ended as completed although more than half of its notes could not be written.
    public var isMostlyFailed: Bool { status == .completed && 2 * failedNotes > totalNotes }
    /// Why the job failed for good.
    public let errorMessage: String?
    /// Why its last attempt did not complete.
    public let lastError: String?
    /// When that was: what it says may have passed since. nil where that is not on record.
    public let lastErrorAt: Date?
    public let createdAt: Date
    /// The same as the database counts, exact, for a position in the list of jobs.
    let createdMicroseconds: Int64
    public let completedAt: Date?
    public let runAt: Date
    public let startedAt: Date?
    public let attempt: Int
    public let maximumAttempts: Int
    public let crashes: Int
    /// Times it was put off without spending an attempt.
    public let snoozes: Int
    public let priority: Int
    public let worker: String?

    init(_ row: PostgresRow) throws {
        id = JobID(try row.decode("job_id"))
        userID = UserID(try row.decode("user_id"))
        status = JobStatus(word: try row.decode("status"))
        isFullSync = try row.decode("full_sync")
        totalNotes = try row.decode("total_notes")
        processedNotes = try row.decode("processed_notes")
        failedNotes = try row.decode("failed_notes")
        errorMessage = try row.decode("error_message")
        lastError = try row.decode("last_error")
        lastErrorAt = try row.decode("last_error_at")
        createdAt = try row.decode("created_at")
        createdMicroseconds = try row.decode("created_at", as: PostgresInstant.self).microseconds
        completedAt = try row.decode("completed_at")
        runAt = try row.decode("run_at")
        startedAt = try row.decode("started_at")
        attempt = try row.decode("attempt")
        maximumAttempts = try row.decode("max_attempts")
        crashes = try row.decode("crashes")
        snoozes = try row.decode("snoozes")
        priority = try row.decode("priority")
        worker = try row.decode("worker")
    }
}

/// A line of a job's log, a row of `sync_logs`.
public struct JobLogLine: Sendable {
    /// Its place among the lines of all jobs; of one that is committed late it may lie before others.
    public let id: Int64
    public let time: Date
    /// `INFO`, `WARNING` or `ERROR`.
    public let level: String
    public let message: String
    public let keepNoteID: String?

    init(_ row: PostgresRow) throws {
        id = try row.decode("id")
        time = try row.decode("created_at")
        level = try row.decode("level")
        message = try row.decode("message")
        keepNoteID = try row.decode("keep_note_id")
    }
}

/// A job whose record and queue row disagree: rows that were changed while no trigger fired.
public struct QueueDisagreement: Sendable {
    /// How they disagree.
    public enum Problem: String, Sendable {
        /// The job is to run and has no queue row.
        case missing
        /// The queue row stands for no such job.
        case surplus
        /// The job has several queue rows.
        case double
        /// The queue row says otherwise than the record whether the job runs in spite of a pause.
        case stale
    }

    public let id: JobID
    public let userID: UserID
    public let problem: Problem

    init(_ row: PostgresRow) throws {
        id = JobID(try row.decode("job_id"))
        userID = UserID(try row.decode("user_id"))
        problem = Problem(rawValue: try row.decode("problem")) ?? .surplus
    }
}
