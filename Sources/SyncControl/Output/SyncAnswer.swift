import JobQueue

/// The answer that the replaced service gave to a sync: `{"job_id","status","summary","error"}`.
struct SyncAnswer {
    let job: JobRecord
    let isWorked: Bool
    let hold: String?

    /// What matters for a job that has not ended:
    ///
    /// - Parameters:
    ///   - isWorked: whether a worker is running.
    ///   - hold: what keeps it from running, as ``JobSnapshot/hold`` says it.
    init(_ job: JobRecord, isWorked: Bool = true, hold: String? = nil) {
        self.job = job
        self.isWorked = isWorked
        self.hold = hold
    }

    var json: JSONValue {
        [
            "job_id": .string(job.id.description), "status": .string(status), "error": .string(error),
            "summary": [
                "total_notes": .int(job.totalNotes), "processed_notes": .int(job.processedNotes),
                "failed_notes": .int(job.failedNotes),
            ],
        ]
    }

    /// It knew no cancelling: to its callers that is a failure. A job that has not ended is shown as it stands.
    private var status: String {
        (job.status == .cancelled ? .failed : job.status).rawValue
    }

    private var error: String? {
        switch job.status {
        case .completed: nil
        case .failed: job.errorMessage ?? "No reason is recorded."
        case .cancelled: "The job was cancelled."
        case .running where job.isRunOutside:
            "The job has not ended in the time given; \(SyncControlError.runOutside)."
        case .queued where !isWorked && hold == nil, .running where !isWorked && hold == nil:
            "The job has not ended in the time given; \(SyncControlError.noWorker)."
        case .queued, .running: "The job has not ended in the time given; it \(hold ?? "goes on")."
        case .unknown(let word): "The job has the status \"\(word)\", which no worker knows: it does not run."
        }
    }
}
