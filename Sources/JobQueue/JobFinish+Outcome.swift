extension JobFinish {
    /// What an outcome means for the job's row.
    init(_ outcome: JobOutcome, of job: ClaimedJob, backoff: Backoff) {
        self.init(
            id: job.id,
            userID: job.userID,
            lease: job.lease,
            status: .completed,
            spendsAttempt: true,
            delay: .zero,
            error: nil,
            logLevel: nil,
            logMessage: nil
        )
        delayOfRefused = backoff.wait(retry: job.attempt - 1, atLeast: .zero)
        switch outcome {
        case .completed:
            break
        case .failed(let error):
            status = .failed
            self.error = error
        case .retry(let error, let notBefore):
            status = .queued
            delay = backoff.wait(retry: job.attempt - 1, atLeast: notBefore ?? .zero)
            self.error = error
            logLevel = "WARNING"
            logMessage = "Attempt \(job.attempt) of \(job.maximumAttempts) failed: \(error)"
        case .snoozed(let duration, let reason, let gate):
            status = .queued
            self.gate = gate
            spendsAttempt = false
            delay = duration
            error = reason
            // Of a gate its own line in the log says it, once for all claims that end there.
            logLevel = gate == nil ? "INFO" : nil
            logMessage = gate == nil ? "Put off: \(reason)" : nil
        case .suspended(let duration, let reason, let gate):
            status = .queued
            self.gate = gate
            spendsAttempt = false
            isSnooze = false
            delay = duration
            error = reason
        case .released(let cause):
            status = .queued
            spendsAttempt = false
            logLevel = "INFO"
            logMessage = "Handed back: \(cause.text). The next run goes on from here."
        }
    }
}

extension JobOutcome.Release {
    fileprivate var text: String {
        switch self {
        case .stopping: "the worker stops"
        case .leaseExpired:
            "its worker stood still, or the database did not answer it, until the lease might have run out"
        case .leaseRevoked: "the job was taken from its worker"
        case .keysLost: "its worker's keys open nothing of what is stored, and that worker ends"
        }
    }
}
