import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport

extension SyncInstallation {
    // MARK: - Jobs

    /// Inserts a job as the gateway does and waits for what comes of it.
    @discardableResult
    func sync(full: Bool = false, user: String = user) async throws -> JobRecord {
        try await settled(try await insert(full: full, user: user))
    }

    /// Inserts a job as the gateway does.
    func insert(full: Bool = false, user: String = user) async throws -> JobID {
        let id = JobID()
        try await pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                error_message, completed_at)
            VALUES (\(id.rawValue), \(user), 'queued', \(full), 0, 0, 0, NULL, NULL)
            """
        )
        return id
    }

    /// Lets the time pass that a job waits for its next attempt, and gates are closed for, and waits for what comes of
    /// it.
    @discardableResult
    func again(_ job: JobRecord) async throws -> JobRecord {
        try await openGates()
        try await pool.execute("UPDATE sync_jobs SET run_at = now() WHERE job_id = \(job.id.rawValue)")
        try await pool.execute("SELECT pg_notify('sync_jobs', '')")
        return try await settled(job.id)
    }

    /// Lets the time pass for which gates are closed.
    func openGates() async throws {
        try await pool.execute(
            "UPDATE sync_gates SET closed_until = clock_timestamp() WHERE closed_until > clock_timestamp()"
        )
    }

    /// Waits until a job has ended or waits for its next attempt.
    func settled(_ id: JobID) async throws -> JobRecord {
        try await eventually(within: .seconds(60), "the end of the job's run") {
            let rows = try await pool.query(
                """
                SELECT FROM sync_jobs
                WHERE job_id = \(id.rawValue)
                    AND (status IN ('completed', 'failed', 'cancelled')
                        OR (status = 'queued' AND started_at IS NOT NULL AND run_at > clock_timestamp()))
                """
            )
            return !rows.isEmpty
        }
        return try await told(id)
    }

    /// The job, once the alert of its failure is there if it has failed: the worker tells of that after it is recorded.
    private func told(_ id: JobID) async throws -> JobRecord {
        let job = try await job(id)
        if job.status == .failed {
            let word = "\(job.userID): \(job.errorMessage ?? "")"
            try await eventually("the word of the job's failure") { alerts.lines.contains(word) }
        }
        return job
    }

    /// Waits until a job has a status.
    func ended(_ id: JobID, as status: JobStatus) async throws -> JobRecord {
        try await eventually(within: .seconds(60), "the status \(status)") { try await job(id).status == status }
        return try await told(id)
    }

    func job(_ id: JobID) async throws -> JobRecord {
        guard let job = try await JobClient(pool: pool).job(id) else {
            throw JobQueueError(.jobNotFound, "There is no job \(id).")
        }
        return job
    }

    // MARK: - Logs

    /// The lines of a job's log of one level, of one note only if given.
    func lines(_ level: String, of job: JobRecord, note: String? = nil) async throws -> [String] {
        try await JobClient(pool: pool).logs(of: job.id)
            .filter { $0.level == level && (note == nil || $0.keepNoteID == note) }
            .map(\.message)
    }

    // MARK: - What is remembered

    /// The number in a query's first column.
    func count(_ query: PostgresQuery) async throws -> Int {
        try await pool.query(query).first?.decode(at: 0) ?? -1
    }

    /// A row of `sync_state`.
    struct State: Equatable {
        var page: String
        var modified: String
        var hasHash: Bool
    }

    /// The rows of `sync_state` of `ada`, by note.
    func states() async throws -> [String: State] {
        let rows = try await pool.query(
            """
            SELECT keep_note_id, notion_page_id, to_char(keep_modified_at, 'YYYY-MM-DD"T"HH24:MI:SS.US') AS modified,
                content_hash IS NOT NULL AS has_hash
            FROM sync_state WHERE user_id = \(Self.user)
            """
        )
        return try Dictionary(
            rows.map { row in
                (
                    try row.decode("keep_note_id", as: String.self),
                    State(
                        page: try row.decode("notion_page_id"),
                        modified: try row.decode("modified"),
                        hasHash: try row.decode("has_hash")
                    )
                )
            },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The cursor of `ada` as naive UTC text.
    func cursor() async throws -> String? {
        try await pool.query(
            """
            SELECT to_char(keep_modified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS text
            FROM sync_cursors WHERE user_id = \(Self.user)
            """
        ).first?.decode("text")
    }

    /// The codes of the failed notes of `ada`, by note.
    func failedNotes() async throws -> [String: String] {
        let rows = try await pool.query(
            "SELECT keep_note_id, code FROM sync_failed_notes WHERE user_id = \(Self.user)"
        )
        return try Dictionary(
            rows.map { (try $0.decode("keep_note_id", as: String.self), try $0.decode("code", as: String.self)) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The pages beside those that the notes of `ada` have, by note, as an operator sees them.
    func surplusPages() async throws -> [String: [String]] {
        let pages = try await UnknownWrites(pool: pool).surplusPages(user: UserID(Self.user))
        return Dictionary(pages.map { ($0.noteID, [$0.pageID]) }, uniquingKeysWith: +)
    }

    /// An open write.
    struct OpenIntent: Equatable {
        var note: String
        var operation: String
        var unknownCount: Int
        var isUnknown: Bool
        var key: UUID
    }

    /// As if another worker's call of the writer had just succeeded.
    func recordWriterSuccess() async throws {
        try await pool.execute(
            """
            INSERT INTO sync_peer_successes (peer, succeeded_at) VALUES ('notion_writer', clock_timestamp())
            ON CONFLICT (peer) DO UPDATE SET succeeded_at = excluded.succeeded_at
            """
        )
    }

    /// The open writes of `ada`, by note.
    func intents() async throws -> [OpenIntent] {
        try await pool.query(
            """
            SELECT keep_note_id, operation, unknown_count, unknown_at IS NOT NULL AS is_unknown, idempotency_key
            FROM sync_intents WHERE user_id = \(Self.user) ORDER BY keep_note_id
            """
        ).map { row in
            OpenIntent(
                note: try row.decode("keep_note_id"),
                operation: try row.decode("operation"),
                unknownCount: try row.decode("unknown_count"),
                isUnknown: try row.decode("is_unknown"),
                key: try row.decode("idempotency_key")
            )
        }
    }
}
