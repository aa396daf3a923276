internal import Foundation
internal import Logging
internal import Support

/// Runs one claimed job from its handler's start to the recorded result.
struct JobRunner: Sendable {
    let configuration: JobWorkerConfiguration
    let completer: Completer
    let stop: StopSignal
    let lost: LostJobs
    let handler: JobHandler
    let onFailure: @Sendable (FailedJob) async -> Void
    let logger: Logger

    /// How a slot goes on.
    struct End: Sendable {
        /// The job's status, if it was recorded.
        var status: JobStatus?
        /// How long until the job is due again, if this worker queued it again.
        var dueAgain: Duration?
        /// Whether an attempt has failed, and the next is another worker's if there is one.
        var isLeftToOthers: Bool
        /// The job that was claimed in place of the one that ended.
        var next: RunningJobs.Entry?
        /// Whether there may be a due job for the slot although there is none here.
        var mayBeMore: Bool
    }

    private static let waiting = JobOutcome.snoozed(
        for: .seconds(5),
        reason:
            "Earlier jobs of the user are no longer this worker's, and the answers to what they have sent are still waited for."
    )

    private static let heldUp = JobOutcome.snoozed(
        for: .seconds(10),
        reason: "Another session has rows of the user, or a table, locked that the job needs."
    )

    func run(_ entry: RunningJobs.Entry) async -> End {
        var logger = logger
        logger[metadataKey: "job"] = "\(entry.job.id)"
        logger[metadataKey: "user"] = "\(entry.job.userID)"
        let context = JobContext(job: entry.job, lease: entry.lease, stop: stop, logger: logger)
        logger.info("Job started.", metadata: ["attempt": "\(entry.job.attempt)", "lease": "\(entry.job.lease)"])
        let began = ContinuousClock.now
        let outcome = lost.isFull(for: entry.job.userID) ? Self.waiting : await outcome(context)
        let completion = await completer.record(JobFinish(outcome, of: entry.job, backoff: configuration.backoff))
        let duration = ContinuousClock.now - began
        QueueMetrics.ran(for: duration, completion.acknowledgement, outcome)
        logger[metadataKey: "seconds"] = "\(duration.formattedSeconds)"
        var status: JobStatus?
        if case .recorded(let recorded, _, _) = completion.acknowledgement { status = recorded }
        var isLeftToOthers = false
        if case .retry = outcome { isLeftToOthers = true }
        return End(
            status: status,
            dueAgain: await conclude(completion.acknowledgement, outcome, entry, logger),
            isLeftToOthers: isLeftToOthers,
            next: completion.next,
            mayBeMore: completion.mayBeMore
        )
    }

    /// The handler's outcome. A job that was broken off is handed back: if somebody else has it by now, that changes
    /// nothing. Its handler may hear out for minutes what it has sent; the slot does not wait for that.
    private func outcome(_ context: JobContext) async -> JobOutcome {
        let result = Mutex<JobOutcome?>(nil)
        let change = Wakeup()
        let work = Task {
            let outcome = await handler(context)
            result.withLock { $0 = outcome }
            change.signal()
        }
        context.lease.whenLost {
            work.cancel()
            change.signal()
        }
        let outcome = await withTaskCancellationHandler {
            await Self.wait(for: result, change) { context.lease.loss == nil ? nil : Self.windDown }
            // The process ends: that cuts calls short too.
            if Task.isCancelled { await work.value }
            return result.withLock { $0 }
        } onCancel: {
            context.abort.request()
            work.cancel()
        }
        if let outcome, context.lease.loss == nil { return outcome }
        if outcome == nil { lost.add(context, work) }
        // What the handler returned no longer counts.
        if context.lease.loss == .heldUp { return Self.heldUp }
        QueueMetrics.leaseLost()
        return .released(context.lease.loss == .expired ? .leaseExpired : .leaseRevoked)
    }

    /// How long the slot of a job that was taken from this worker waits for its handler, which ends at once where
    /// nothing is under way.
    private static let windDown = Duration.seconds(1)

    /// Returns when there is a result, the task is cancelled, or for so long as `limit` says nothing has changed.
    private static func wait(for result: borrowing Mutex<JobOutcome?>, _ change: Wakeup, limit: () -> Duration?) async {
        var end: ContinuousClock.Instant?
        while !Task.isCancelled, result.withLock({ $0 == nil }) {
            if end == nil, let limit = limit() { end = .now + limit }
            let left = end.map { $0 - .now } ?? .seconds(3600)
            guard left > .zero else { return }
            await change.wait(atMost: left)
        }
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
