internal import Foundation
internal import Logging

/// Runs one claimed job from its handler's start to the recorded result.
struct JobRunner: Sendable {
    let configuration: JobWorkerConfiguration
    let completer: Completer
    let stop: StopSignal
    let handler: JobHandler
    let onFailure: @Sendable (FailedJob) async -> Void
    let logger: Logger

    /// How a slot goes on.
    struct End: Sendable {
        /// The job's status, if it was recorded.
        var status: JobStatus?
        /// How long until the job is due again, if this worker queued it again.
        var dueAgain: Duration?
        /// The job that was claimed in place of the one that ended.
        var next: RunningJobs.Entry?
        /// Whether there may be a due job for the slot although there is none here.
        var mayBeMore: Bool
    }

    func run(_ entry: RunningJobs.Entry) async -> End {
        var logger = logger
        logger[metadataKey: "job"] = "\(entry.job.id)"
        logger[metadataKey: "user"] = "\(entry.job.userID)"
        let context = JobContext(job: entry.job, lease: entry.lease, stop: stop, logger: logger)
        logger.info("Job started.", metadata: ["attempt": "\(entry.job.attempt)", "lease": "\(entry.job.lease)"])
        let began = ContinuousClock.now
        let outcome = await outcome(context)
        let completion = await completer.record(JobFinish(outcome, of: entry.job, backoff: configuration.backoff))
        let duration = ContinuousClock.now - began
        QueueMetrics.ran(for: duration, completion.acknowledgement, outcome)
        logger[metadataKey: "seconds"] = "\(duration.formattedSeconds)"
        var status: JobStatus?
        if case .recorded(let recorded, _, _) = completion.acknowledgement { status = recorded }
        return End(
            status: status,
            dueAgain: await conclude(completion.acknowledgement, outcome, entry, logger),
            next: completion.next,
            mayBeMore: completion.mayBeMore
        )
    }

    /// The handler's outcome. A job that was broken off is handed back: if somebody else has it by now, that changes
    /// nothing.
    private func outcome(_ context: JobContext) async -> JobOutcome {
        let work = Task { await handler(context) }
        context.lease.whenLost { work.cancel() }
        let outcome = await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            context.abort.request()
            work.cancel()
        }
        guard let loss = context.lease.loss else { return outcome }
        // What the handler returned no longer counts.
        QueueMetrics.leaseLost()
        return .released(loss == .expired ? .leaseExpired : .leaseRevoked)
    }

    /// - Returns: how long until the job is due again, if this worker queued it again.
    private func conclude(
        _ acknowledgement: Completer.Acknowledgement,
        _ outcome: JobOutcome,
        _ entry: RunningJobs.Entry,
        _ logger: Logger
    ) async -> Duration? {
        switch acknowledgement {
        case .recorded(.completed, _, _):
            logger.info("Job completed.")
        case .recorded(.failed, let error, _):
            let error = error ?? "unknown"
            logger.error("Job failed for good.", metadata: ["error": "\(error)"])
            await onFailure(FailedJob(id: entry.job.id, userID: entry.job.userID, error: error))
        case .recorded(_, let error, let delay):
            let seconds = delay.formattedSeconds
            switch outcome {
            case .released: logger.notice("Job handed back.")
            case .snoozed(_, let reason, _), .suspended(_, let reason, _):
                logger.info("Job put off \(seconds) s.", metadata: ["reason": "\(reason)"])
            default: logger.warning("Attempt failed; the next in \(seconds) s.", metadata: ["error": "\(error ?? "")"])
            }
            return delay
        case .notHeld:
            logger.notice("Job was taken from this worker (cancelled, retried or rescued); its result does not count.")
        case .abandoned:
            logger.warning("The job's result could not be recorded before the end; another worker will rescue the job.")
        }
        return nil
    }
}
