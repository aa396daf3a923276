internal import Logging
internal import Postgres
import Support

/// Claims jobs whenever there are free slots and there may be due jobs, until the worker stops.
///
/// Between claims it waits for a notification, for a slot, for a job it knows to be due, or for the next poll. While
/// every claim finds the queue full it needs no notification and says so in its row, which spares the enqueuers the
/// NOTIFY.
struct ClaimLoop: Sendable {
    let configuration: JobWorkerConfiguration
    let claimer: Claimer
    let keeper: LeaseKeeper
    let hearing: Hearing
    let running: RunningJobs
    let dueTimes: DueTimes
    let wake: Wakeup
    /// A job has ended and none was claimed in its place. Not `wake`: what is told there while no slot is free must not
    /// be forgotten until one is.
    let slotFree: Wakeup
    let stop: StopSignal
    let hold: ClaimHold
    let logger: Logger
    private let failure = RecurringWarning("Claiming jobs failed; trying again.")

    /// How long the queue must have been full before wake-ups are stopped.
    private static let fullQueuePatience = Duration.seconds(1)
    /// How long claims have failed when people are to know of it.
    private static let failurePatience = Duration.seconds(3)
    /// Rechecks after wake-ups have been resumed: an INSERT that was under way may not have seen it.
    private static let recheckDelays: [Duration] = [.milliseconds(50), .milliseconds(250), .seconds(1)]

    func run(start: ([RunningJobs.Entry]) -> Void) async {
        var fullSince: ContinuousClock.Instant?
        var slotsTakenSince: ContinuousClock.Instant?
        var rechecks: ArraySlice<Duration> = []
        var failures = 0
        var failingSince: ContinuousClock.Instant?
        var fruitless = WakeupBudget()
        var refusals = WakeupBudget()
        while !stop.isRequested, !Task.isCancelled {
            let free = configuration.slots - running.takenSlots
            guard free > 0 else {
                await waitForSlot(since: &slotsTakenSince)
                continue
            }
            slotsTakenSince = nil
            let held = hold.remaining
            keeper.setHolding(held != nil)
            if let held {
                await waitWhileHeld(held)
                continue
            }
            do {
                let batch = try await claimer.claim(free)
                start(batch.jobs)
                failingSince = nil
                keeper.setFailingToClaim(false)
                failures = 0
                if batch.mayBeMore {
                    fullSince = await queueIsFull(since: fullSince)
                    // Others hold what is there; give them a moment.
                    if batch.jobs.isEmpty { await wake.wait(atMost: .milliseconds(20)) }
                } else if await resumeWakeups() {
                    fullSince = nil
                    rechecks = Self.recheckDelays[...]
                } else {
                    fullSince = nil
                    let poll = hearing.pollInterval(configuration.pollInterval) * Double.random(in: 0.8...1.2)
                    let limit = claimer.next(atMost: rechecks.popFirst() ?? poll)
                    if await isWoken(within: limit), batch.jobs.isEmpty {
                        // Cancellation ends the loop.
                        try? await DeadlineQueue.shared.sleep(for: fruitless.spend())
                    }
                }
            } catch {
                if Task.isCancelled { return }
                if await isAnyRefused(error, failures) {
                    // Cancellation ends the loop.
                    try? await DeadlineQueue.shared.sleep(for: refusals.spend())
                    continue
                }
                failure.log(logger, ["error": "\(error)"])
                let since = failingSince ?? .now
                failingSince = since
                // While the database is away there is nobody to refuse anything.
                let isAway = (error as? PostgresError)?.isConnectionFailure ?? false
                if !isAway, .now - since > Self.failurePatience { keeper.setFailingToClaim(true) }
                let backoff = Backoff(base: .milliseconds(200), cap: .seconds(1))
                await wake.wait(atMost: backoff.wait(retry: failures, atLeast: .milliseconds(100)))
                failures += 1
            }
        }
    }

    /// Waits until a job may be due, for `limit` at most. A job of which an attempt has failed is left to another
    /// worker at first: what failed may be this one's matter.
    ///
    /// - Returns: whether the worker was woken.
    private func isWoken(within limit: Duration) async -> Bool {
        let end = ContinuousClock.now + limit
        while true {
            if await wake.wait(atMost: dueTimes.next(atMost: max(end - .now, .zero))) { return true }
            guard dueTimes.takeLeft(), await claimer.wakeAnother() else { return false }
            dueTimes.add(.now + Self.headStart)
        }
    }

    /// What another worker has that was woken for a job.
    private static let headStart = Duration.seconds(1)

    /// Claims that fail for what should pass, after which one of the jobs may be what brings it about.
    private static let passingFailures = 2

    /// Whether jobs were found that made a claim fail, which the next claim passes over.
    private func isAnyRefused(_ error: any Error, _ failures: Int) async -> Bool {
        guard let error = error as? PostgresError else { return false }
        var isPersistent = false
        // A claim passes over what is locked: what it waits for is a lock that a trigger of somebody else's takes.
        if !error.isRefusal, error.sqlState != .lockNotAvailable {
            guard error.mayBeOfOneRow, failures >= Self.passingFailures || error.isOutOfTime else { return false }
            guard await claimer.isAnswered() else { return false }
            isPersistent = true
        }
        do {
            return try await claimer.findRefused(isPersistent: isPersistent)
        } catch {
            logger.debug("What keeps a claim from succeeding could not be found out.", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Waits while no slot is free; a worker that has none for a while does not want to be woken either.
    private func waitForSlot(since: inout ContinuousClock.Instant?) async {
        let began = since ?? .now
        since = began
        let patience = began + Self.fullQueuePatience - .now
        guard keeper.isWakeable, patience <= .zero else {
            await slotFree.wait(atMost: keeper.isWakeable ? patience : .seconds(3600))
            return
        }
        await keeper.stopWakeups()
    }

    /// Waits while claims are held. Notifications are better spent on another worker, which is also told of jobs that
    /// this one alone knows to be due.
    private func waitWhileHeld(_ time: Duration) async {
        if keeper.isWakeable { await keeper.stopWakeups() }
        if dueTimes.takeDue() { await claimer.wakeAnother() }
        // A worker that is to stop is told by this signal.
        await slotFree.wait(atMost: min(time, Self.holdCheckInterval))
    }

    /// A hold that is over early is noticed as soon.
    private static let holdCheckInterval = Duration.milliseconds(250)

    private func queueIsFull(since: ContinuousClock.Instant?) async -> ContinuousClock.Instant {
        let now = ContinuousClock.now
        guard let since else { return now }
        if keeper.isWakeable, now - since > Self.fullQueuePatience {
            await keeper.stopWakeups()
        }
        return since
    }

    /// - Returns: whether wake-ups had been stopped; the queue must then be checked once more.
    private func resumeWakeups() async -> Bool {
        guard !keeper.isWakeable else { return false }
        await keeper.resumeWakeups()
        return true
    }
}
