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
        case .snoozed(let duration, let reason):
            status = .queued
            spendsAttempt = false
            delay = duration
            logLevel = "INFO"
            logMessage = "Put off: \(reason)"
        case .released:
            status = .queued
            spendsAttempt = false
            logLevel = "INFO"
            logMessage = "Handed back: the worker stops. Another goes on from here."
        }
    }
}
