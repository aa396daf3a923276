import Foundation
import JobQueue
import Support

extension JobRecord {
    var json: JSONValue { .object(jsonFields) }

    /// The job as lists have it.
    ///
    /// - Parameters:
    ///   - wait: what it waits for; nil: nothing.
    ///   - cause: the key of the cause of its failure.
    func json(_ wait: JobWait?, cause: String?) -> JSONValue {
        json(with: ["waits_for": wait?.json ?? .null, "cause": .string(cause)])
    }

    /// The job with further fields.
    func json(with fields: [String: JSONValue]) -> JSONValue { .object(jsonFields.merging(fields) { job, _ in job }) }

    /// The job with the lines of its log, and what it waits for.
    func json(
        _ logs: [JobLogLine],
        _ waits: [JobHold],
        unknownWrites: Int,
        hasMoreLines: Bool
    ) -> JSONValue {
        let others: [String: JSONValue] = [
            "logs": .array(logs.map(\.json)), "waits_for": waits.first?.json ?? .null,
            "waits_for_also": .array(waits.dropFirst().map(\.json)), "unknown_writes": .int(unknownWrites),
            "has_more_logs": .bool(hasMoreLines),
        ]
        return .object(jsonFields.merging(others) { job, _ in job })
    }

    private var jsonFields: [String: JSONValue] {
        [
            "job_id": .string(id.description), "user_id": .string(userID.rawValue), "status": .string(status.rawValue),
            "full_sync": .bool(isFullSync), "priority": .int(priority), "attempt": .int(attempt),
            "max_attempts": .int(maximumAttempts), "crashes": .int(crashes), "snoozes": .int(snoozes),
            "worker": .string(worker),
            "created_at": .time(createdAt), "run_at": .time(runAt), "started_at": .time(startedAt),
            "completed_at": .time(completedAt), "error_message": .string(errorMessage),
            "last_error": .string(lastError), "last_error_at": .time(lastErrorAt),
            "progress": [
                "total_notes": .int(totalNotes), "processed_notes": .int(processedNotes),
                "failed_notes": .int(failedNotes),
            ],
        ]
    }

    /// Notes settled, failed ones included, and all: `93/150`; `-` while no number is known.
    var notes: String {
        totalNotes > 0 ? "\(processedNotes + failedNotes)/\(totalNotes)" : "-"
    }

    /// How often it was put off, while it waits.
    var putOff: String? {
        status == .queued && snoozes > 0 ? "put off \(Count.times(snoozes))" : nil
    }

    /// Why it failed, or why its last attempt did if it is to be tried again.
    ///
    /// - Parameter now: when it is read; nil: at any time.
    func shownError(near now: Date? = nil) -> String? {
        switch status {
        case .failed: errorMessage ?? lastError
        case .queued, .running, .unknown: lastErrorAsOfThen(near: now)
        case .completed, .cancelled: nil
        }
    }

    /// The last error with its time: what it says of a peer or a machine may have passed since.
    func lastErrorAsOfThen(near now: Date? = nil) -> String? {
        lastError.map { error in
            guard let time = lastErrorAt else { return "earlier: \(error)" }
            return "at \(now.map { TimeText.short(time, near: $0) } ?? TimeText.full(time)): \(error)"
        }
    }
}

extension JobLogLine {
    var json: JSONValue {
        [
            "created_at": .time(time), "level": .string(level), "message": .string(message),
            "keep_note_id": .string(keepNoteID),
        ]
    }
}
