internal import Foundation
internal import Logging
internal import Postgres
internal import Support

/// Records how runs ended, many in one transaction, and claims the next jobs for their slots in the same: while one
/// flush is under way, the results of the next gather. There is no timer, so a single result waits for nothing.
final class Completer: Sendable {
    /// What the database made of a result.
    enum Acknowledgement: Sendable, Equatable {
        /// Recorded; the job now has this status, and is due after `delay` if that is `queued`.
        case recorded(JobStatus, error: String?, delay: Duration)
        /// The job was no longer ours; nothing was changed.
        case notHeld
        /// The worker ended before the database could be reached; the job will be rescued.
        case abandoned
    }

    /// What becomes of a slot whose job has ended.
    struct Completion: Sendable {
        var acknowledgement: Acknowledgement
        /// The job the slot goes on with.
        var next: RunningJobs.Entry?
        /// Whether there may be a due job for it although there is none here.
        var mayBeMore = true
    }

    let pool: PostgresPool
    let claimer: Claimer
    private let unparker: Unparker
    let running: RunningJobs
    let stop: StopSignal
    private let hold: ClaimHold
    private let onFailing: @Sendable (Bool) -> Void
    let onRelease: @Sendable () -> Void
    let logLock: LogLock
    let logger: Logger
    let results = PendingResults()
    private let isAnyAbandoned = Atomic<Bool>(false)
    let arrived = Wakeup()
    let heldUp = Wakeup()
    let slow = Wakeup()
    let waiting = Wakeup()
    let failure = RecurringWarning("The results of finished jobs can't be recorded; trying again.")
    let lostLines = RecurringWarning(
        "Another session has sync_logs locked, as CREATE INDEX does: results are recorded without their lines in the jobs' logs."
    )
    let delayed = RecurringWarning(
        "The result of a job can't be recorded, as what it changes is locked, takes too long or meets what should pass; it is tried again, and others are recorded."
    )
    private let reconnect = Backoff(base: .milliseconds(100), cap: .seconds(1))

    /// - Parameters:
    ///   - onRelease: told when a slot has become free whose job was released before it began, or whose result waits.
    ///   - onFailing: told whether the database has taken no result for a while, though it answers.
    init(
        pool: PostgresPool,
        claimer: Claimer,
        unparker: Unparker,
        running: RunningJobs,
        stop: StopSignal,
        hold: ClaimHold = ClaimHold(),
        logger: Logger,
        onRelease: @escaping @Sendable () -> Void = {},
        onFailing: @escaping @Sendable (Bool) -> Void = { _ in }
    ) {
        self.pool = pool
        self.claimer = claimer
        self.unparker = unparker
        self.running = running
        self.stop = stop
        self.hold = hold
        self.onFailing = onFailing
        self.onRelease = onRelease
        self.logger = logger
        logLock = LogLock(pool: pool)
    }

    /// Records a result and returns when that is durable.
    func record(_ finish: JobFinish) async -> Completion {
        await withCheckedContinuation { continuation in
            guard results.add(PendingResult(finish: finish, continuation: continuation)) else {
                return continuation.resume(returning: abandoned())
            }
            arrived.signal()
        }
    }

    /// Flushes until the task is cancelled or `end` is called; then lets go of whoever still waits.
    ///
    /// What can't be recorded in time is taken from the others and divided until what is slow is alone, and that is
    /// tried by itself: each of the three goes on whatever becomes of the others.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.recordHeldUp() }
            group.addTask { await self.recordSlow() }
            group.addTask { await self.freeSlots() }
            await recordArrived()
            end()
            group.cancelAll()
        }
        // What was set apart while it ended.
        end()
    }

    private func recordArrived() async {
        while !isEnded {
            // Jobs that were claimed together end together, and a commit for each half of them would cost twice as
            // much.
            await gather { results.arrivedCount }
            var batch = results.takeArrived()
            if batch.isEmpty {
                let limit = results.untilNextOfBlocked()
                let hasArrived = await arrived.wait(atMost: limit ?? .seconds(3600))
                if hasArrived || limit == nil { continue }
            }
            let slots = batch.count
            batch += results.takeBlocked()
            if !batch.isEmpty { await flush(batch, freeing: slots, .withOthers) }
        }
    }

    private func recordHeldUp() async {
        while !isEnded {
            guard let part = results.takeHeldUp() else {
                await heldUp.wait(atMost: .seconds(3600))
                continue
            }
            await flush(part, freeing: 0, .apart)
        }
    }

    private func recordSlow() async {
        while !isEnded {
            guard let single = results.takeSlow() else {
                await slow.wait(atMost: results.untilNextOfSlow() ?? .seconds(3600))
                continue
            }
            guard let single = await withoutWhatIsSuppressed(single) else { continue }
            await flush([single], freeing: 0, .alone)
        }
    }

    /// Gives up: answers whoever waits, now and from now on, with `abandoned`.
    func end() {
        for waiting in results.end() { waiting.conclude(abandoned()) }
        for wakeup in [arrived, heldUp, slow, waiting] { wakeup.signal() }
    }

    /// Whether the end of a job was given up that this worker had.
    var hasAbandoned: Bool { isAnyAbandoned.load(ordering: .relaxed) }

    func abandoned() -> Completion {
        isAnyAbandoned.store(true, ordering: .relaxed)
        return Completion(acknowledgement: .abandoned)
    }

    /// Results that no flush has taken yet.
    var pendingCount: Int { results.arrivedCount }

    var isEnded: Bool { Task.isCancelled || results.isEnded }

    /// - Parameters:
    ///   - slots: how many of the results free a slot for a job to be claimed. One that was blocked may be so again.
    ///   - company: how long it may take.
    func flush(_ batch: [PendingResult], freeing slots: Int, _ company: Company) async {
        var batch = logLock.isKnown ? withoutLines(batch) : batch
        var failures = 0
        var mayClaim = slots > 0 && results.mayClaim
        while !isEnded {
            var order: Claimer.Order?
            do {
                order = mayClaim && !stop.isRequested && hold.remaining == nil ? try await claimer.order(slots) : nil
                return try await send(batch, claiming: order, within: limit(company), isRepeated: failures > 0)
            } catch let error as PostgresError where (error.isRefusal || error.isCollision) && order != nil {
                // The claim met another worker's, most likely. The results do not wait for the next try.
                mayClaim = false
            } catch let error as PostgresError where error.isRefusal {
                return await narrowDown(batch, refusedWith: error, company)
            } catch {
                if let order {
                    claimer.lose(order)
                    // The claim may be what failed or was slow: for a while slots look for jobs themselves.
                    if (error as? PostgresError)?.mayBeOfOneRow ?? false { results.claimNothing(for: .seconds(10)) }
                }
                guard !isEnded else { break }
                let mayBeOfLine =
                    (error as? PostgresError).map { $0.isOutOfTime || $0.sqlState == .lockNotAvailable } ?? false
                if mayBeOfLine, batch.contains(where: \.finish.hasLine), await logLock.isLocked() {
                    batch = withoutLines(batch)
                    continue
                }
                if let error = error as? PostgresError, await isHeldUp(error, failures) {
                    if company == .alone, let single = tooLongHeldUp(batch, by: error) {
                        return await narrowDown([single], refusedWith: error, company)
                    }
                    return setApart(batch, delayedBy: error, company)
                }
                failure.log(logger, ["jobs": "\(batch.count)", "error": "\(error)"])
                if !((error as? PostgresError)?.isConnectionFailure ?? false) { haveFailed() }
                await wakeup(company).wait(atMost: reconnect.wait(retry: failures, atLeast: .milliseconds(50)))
                failures += 1
                mayClaim = false
            }
        }
        for waiting in batch { waiting.conclude(abandoned()) }
    }

    /// The database has taken no result though it answers: others are to know once it has been so for a while.
    func haveFailed() {
        if results.haveFailed(for: Self.failurePatience) { onFailing(true) }
    }

    private static let failurePatience = Duration.seconds(3)

    private func send(
        _ batch: [PendingResult],
        claiming order: Claimer.Order?,
        within limit: QueryTimeout,
        isRepeated: Bool
    ) async throws {
        let finishes = batch.map(\.finish).sorted { $0.id < $1.id }
        let (finished, claimed, unparked) = try await pool.finish(finishes, claiming: order?.query, within: limit)
        var (answers, blocked) = try acknowledgements(finished)
        if isRepeated || batch.contains(where: \.mayBeRecorded), answers.count + blocked.count < finishes.count {
            // An earlier try may have been committed though its answer was lost.
            try await addCommitted(finishes.filter { !blocked.contains($0.id) }, to: &answers)
        }
        var next: Claimer.Batch?
        if let order, let claimed { (next, _) = try claimer.batch(claimed, of: order) }
        conclude(batch, answers, blocked, next)
        unparker.add(unparked.passedOver)
        if let order, let next, unparked.areDue { await wakeAnother(after: order, next) }
    }

    /// Wakes a worker for a job that came back and that the claim after it did not reach, as it found others before.
    /// While claims go on from where they ended, the queue is deep, and all workers are awake.
    private func wakeAnother(after order: Claimer.Order, _ next: Claimer.Batch) async {
        guard order.place == nil, next.jobs.count == order.slots else { return }
        await claimer.wakeAnother()
    }

    /// Tells each what became of its result, and gives the claimed jobs to the first of them. Blocked results stay; the
    /// jobs for which they have left no slot are released with the next flush, and held until then.
    private func conclude(
        _ batch: [PendingResult],
        _ answers: [JobID: Acknowledgement],
        _ blocked: Set<JobID>,
        _ next: Claimer.Batch?
    ) {
        let ended = batch.filter { !blocked.contains($0.finish.id) }
        let jobs = next?.jobs ?? []
        // Before anybody counts: a slot is never free and taken at once.
        let withoutSlot = running.replace(ended.map { ($0.finish.id, $0.finish.lease) }, by: jobs)
        let givesSlot = { (waiting: PendingResult) in
            waiting.continuation != nil && !withoutSlot.contains(waiting.finish.id)
        }
        let free = min(ended.count(where: givesSlot), jobs.count)
        keepBlocked(batch.filter { blocked.contains($0.finish.id) })
        results.addBlocked(jobs[free...].map { PendingResult(finish: released($0.job)) })
        if !answers.isEmpty {
            results.haveBeenRecorded()
            onFailing(false)
        }
        var given = jobs[..<free]
        for waiting in ended {
            waiting.conclude(
                Completion(
                    acknowledgement: answers[waiting.finish.id] ?? .notHeld,
                    next: givesSlot(waiting) ? given.popFirst() : nil,
                    mayBeMore: next?.mayBeMore ?? true
                )
            )
        }
        if ended.contains(where: { $0.continuation == nil }) { onRelease() }
    }

    /// Hands a job back that has not begun, without a word in its log.
    private func released(_ job: ClaimedJob) -> JobFinish {
        var finish = JobFinish(.released(.stopping), of: job, backoff: reconnect)
        finish.logMessage = nil
        return finish
    }
}
