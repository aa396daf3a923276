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

    private struct Pending {
        var finish: JobFinish
        /// Whoever waits in `record`; nil for a job that is released because no slot was left for it.
        var continuation: CheckedContinuation<Completion, Never>?
        /// Whether it is as short as it can be, as the database refused it as it was.
        var isDegraded = false
        /// Since when the database refuses it for a reason that may be no fault of its own; it is tried again a second
        /// later.
        var refusedSince: ContinuousClock.Instant?
        var refusedAt: ContinuousClock.Instant?

        func conclude(_ completion: Completion) {
            continuation?.resume(returning: completion)
        }
    }

    private struct State {
        var pending: [Pending] = []
        /// Results whose records somebody else has locked, with jobs to be released, and how often in a row there were
        /// some.
        var blocked: [Pending] = []
        var blockedTries = 0
        /// When a result was last recorded.
        var recordedAt: ContinuousClock.Instant?
        /// When it was last tried whether others could be, and when they last could.
        var othersTriedAt: ContinuousClock.Instant?
        var othersCompleteAt: ContinuousClock.Instant?
        var isEnded = false
    }

    private let pool: PostgresPool
    private let claimer: Claimer
    private let unparker: Unparker
    private let running: RunningJobs
    private let stop: StopSignal
    private let hold: ClaimHold
    private let onRelease: @Sendable () -> Void
    private let logger: Logger
    private let state = Mutex(State())
    private let isAnyAbandoned = Atomic<Bool>(false)
    private let arrived = Wakeup()
    private let failure = RecurringWarning("The results of finished jobs can't be recorded; trying again.")
    private let reconnect = Backoff(base: .milliseconds(100), cap: .seconds(1))

    /// - Parameter onRelease: told when a slot has become free because its job was released before it began.
    init(
        pool: PostgresPool,
        claimer: Claimer,
        unparker: Unparker,
        running: RunningJobs,
        stop: StopSignal,
        hold: ClaimHold = ClaimHold(),
        logger: Logger,
        onRelease: @escaping @Sendable () -> Void = {}
    ) {
        self.pool = pool
        self.claimer = claimer
        self.unparker = unparker
        self.running = running
        self.stop = stop
        self.hold = hold
        self.onRelease = onRelease
        self.logger = logger
    }

    /// Records a result and returns when that is durable.
    func record(_ finish: JobFinish) async -> Completion {
        await withCheckedContinuation { continuation in
            let isEnded = state.withLock { state in
                if !state.isEnded { state.pending.append(Pending(finish: finish, continuation: continuation)) }
                return state.isEnded
            }
            if isEnded {
                continuation.resume(returning: abandoned())
            } else {
                arrived.signal()
            }
        }
    }

    /// Flushes until the task is cancelled or `end` is called; then lets go of whoever still waits.
    func run() async {
        while !isEnded {
            // Jobs that were claimed together end together, and a commit for each half of them would cost twice as
            // much.
            await gather { state.withLock { $0.pending.count } }
            var batch = takePending()
            if batch.isEmpty {
                let (isAnyBlocked, tries) = state.withLock { (!$0.blocked.isEmpty, $0.blockedTries) }
                let limit = isAnyBlocked ? Self.whileBlocked.ceiling(retry: tries) : .seconds(3600)
                let hasArrived = await arrived.wait(atMost: limit)
                if hasArrived || !isAnyBlocked { continue }
            }
            let slots = batch.count
            batch += takeBlocked()
            if batch.isEmpty { continue }
            await flush(batch, freeing: slots)
        }
        end()
    }

    private func takePending() -> [Pending] {
        state.withLock { state in
            defer { state.pending = [] }
            return state.pending
        }
    }

    private func takeBlocked() -> [Pending] {
        let now = ContinuousClock.now
        return state.withLock { state in
            let isDue = { (waiting: Pending) in waiting.refusedAt.map { now - $0 > Self.refusalPause } ?? true }
            defer { state.blocked.removeAll(where: isDue) }
            return state.blocked.filter(isDue)
        }
    }

    private static let refusalPause = Duration.seconds(1)

    /// When results are tried again whose records are locked: soon, as a claim of another worker that has only just
    /// missed the job holds its record for some milliseconds; then less often, as a person may hold it for long.
    private static let whileBlocked = Backoff(base: .milliseconds(2), cap: .milliseconds(250))

    /// Gives up: answers whoever waits, now and from now on, with `abandoned`.
    func end() {
        let abandoned = state.withLock { state in
            state.isEnded = true
            defer { (state.pending, state.blocked) = ([], []) }
            return state.pending + state.blocked
        }
        for waiting in abandoned { waiting.conclude(self.abandoned()) }
        arrived.signal()
    }

    /// Whether the end of a job was given up that this worker had.
    var hasAbandoned: Bool { isAnyAbandoned.load(ordering: .relaxed) }

    private func abandoned() -> Completion {
        isAnyAbandoned.store(true, ordering: .relaxed)
        return Completion(acknowledgement: .abandoned)
    }

    /// Results that no flush has taken yet.
    var pendingCount: Int { state.withLock { $0.pending.count } }

    private var isEnded: Bool {
        Task.isCancelled || state.withLock { $0.isEnded }
    }

    /// - Parameter slots: how many of the results free a slot for a job to be claimed. One that was blocked may be so
    ///   again.
    private func flush(_ batch: [Pending], freeing slots: Int) async {
        let finishes = batch.map(\.finish).sorted { $0.id < $1.id }
        var failures = 0
        var mayClaim = slots > 0
        while !isEnded {
            var order: Claimer.Order?
            do {
                order = mayClaim && !stop.isRequested && hold.remaining == nil ? try await claimer.order(slots) : nil
                let (finished, claimed, unparked) = try await pool.finish(finishes, claiming: order?.query)
                var (answers, blocked) = try acknowledgements(finished)
                if failures > 0, answers.count + blocked.count < finishes.count {
                    // An earlier try may have been committed though its answer was lost.
                    try await addCommitted(finishes.filter { !blocked.contains($0.id) }, to: &answers)
                }
                var next: Claimer.Batch?
                if let order, let claimed { (next, _) = try claimer.batch(claimed, of: order) }
                conclude(batch, answers, blocked, next)
                unparker.add(unparked.passedOver)
                if let order, let next, unparked.areDue { await wakeAnother(after: order, next) }
                return
            } catch let error as PostgresError where (error.isRefusal || error.isCollision) && mayClaim {
                // The claim met another worker's, most likely. The results do not wait for the next try.
                mayClaim = false
            } catch let error as PostgresError where error.isRefusal {
                return await narrowDown(batch, refusedWith: error)
            } catch {
                if let order { claimer.lose(order) }
                failure.log(logger, ["jobs": "\(finishes.count)", "error": "\(error)"])
                await arrived.wait(atMost: reconnect.wait(retry: failures, atLeast: .milliseconds(50)))
                failures += 1
                mayClaim = false
            }
        }
        for waiting in batch { waiting.conclude(abandoned()) }
    }

    /// Wakes a worker for a job that came back and that the claim after it did not reach, as it found others before.
    /// While claims go on from where they ended, the queue is deep, and all workers are awake.
    private func wakeAnother(after order: Claimer.Order, _ next: Claimer.Batch) async {
        guard order.place == nil, next.jobs.count == order.slots else { return }
        await claimer.wakeAnother()
    }

    /// One result that the database refuses must not take the others with it: halves the batch until that one is alone,
    /// records it without its line in the log and with its error cut, and gives it up if that is refused too. Its lease
    /// is renewed no longer then, so another worker rescues the job. Where no value is at fault that is done only once
    /// another result has been recorded; until then each waits.
    private func narrowDown(_ batch: [Pending], refusedWith error: PostgresError) async {
        guard var single = batch.first, batch.count == 1 else {
            let half = batch.count / 2
            await flush(Array(batch[..<half]), freeing: 0)
            await flush(Array(batch[half...]), freeing: 0)
            return
        }
        if !error.isAboutValues, !isFault(of: single) { await findOutWhetherOthersComplete(single) }
        guard error.isAboutValues || isFault(of: single) else { return putBack(single, refusedWith: error) }
        guard single.isDegraded else {
            logger.warning(
                "The database refuses the result of a job; it is recorded without its line in the log, and its error shortened.",
                metadata: ["job": "\(single.finish.id)", "error": "\(error)"]
            )
            single.isDegraded = true
            single.finish.degrade()
            return await flush([single], freeing: 0)
        }
        logger.error(
            "The database refuses the result of a job, which is given up; the job is rescued when its lease runs out.",
            metadata: ["job": "\(single.finish.id)", "error": "\(error)"]
        )
        running.replace([(single.finish.id, single.finish.lease)], by: [])
        single.conclude(abandoned())
    }

    /// Whether a result is refused while others are recorded, or could be a moment ago: a missing right of the role,
    /// for example, keeps all from it.
    private func isFault(of waiting: Pending) -> Bool {
        state.withLock { state in
            if let at = state.othersCompleteAt, .now - at < Self.verdictHolds { return true }
            guard let since = waiting.refusedSince else { return false }
            return state.recordedAt.map { $0 > since } ?? false
        }
    }

    private static let verdictHolds = Duration.seconds(10)

    /// Where the results of all slots are refused, nothing is recorded that would show whose fault it is: then jobs
    /// that wait are tried in their place.
    private func findOutWhetherOthersComplete(_ waiting: Pending) async {
        let now = ContinuousClock.now
        guard let since = waiting.refusedSince, now - since > Self.refusalPause * 2 else { return }
        let isDue = state.withLock { state in
            guard state.othersTriedAt.map({ now - $0 > Self.refusalPause }) ?? true else { return false }
            state.othersTriedAt = now
            return true
        }
        guard isDue else { return }
        do {
            if try await claimer.refused.isAnyCompletable() { state.withLock { $0.othersCompleteAt = .now } }
        } catch {
            logger.debug("Whether other jobs could complete was not found out.", metadata: ["error": "\(error)"])
        }
    }

    private func putBack(_ waiting: Pending, refusedWith error: PostgresError) {
        failure.log(logger, ["job": "\(waiting.finish.id)", "error": "\(error)"])
        var waiting = waiting
        waiting.refusedAt = .now
        waiting.refusedSince = waiting.refusedSince ?? waiting.refusedAt
        state.withLock { state in
            state.blocked.append(waiting)
            state.blockedTries += 1
        }
    }

    /// Tells each what became of its result, and gives the claimed jobs to the first of them. Blocked results stay; the
    /// jobs for which they have left no slot are released with the next flush, and held until then.
    private func conclude(
        _ batch: [Pending],
        _ answers: [JobID: Acknowledgement],
        _ blocked: Set<JobID>,
        _ next: Claimer.Batch?
    ) {
        let ended = batch.filter { !blocked.contains($0.finish.id) }
        let jobs = next?.jobs ?? []
        let free = min(ended.filter { $0.continuation != nil }.count, jobs.count)
        // Before anybody counts: a slot is never free and taken at once.
        running.replace(ended.map { ($0.finish.id, $0.finish.lease) }, by: jobs)
        state.withLock { state in
            state.blocked += batch.filter { blocked.contains($0.finish.id) }
            state.blocked += jobs[free...].map { Pending(finish: released($0.job)) }
            state.blockedTries = state.blocked.isEmpty ? 0 : state.blockedTries + 1
            if !answers.isEmpty { state.recordedAt = .now }
        }
        var given = jobs[..<free]
        for waiting in ended {
            waiting.conclude(
                Completion(
                    acknowledgement: answers[waiting.finish.id] ?? .notHeld,
                    next: waiting.continuation == nil ? nil : given.popFirst(),
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

    private func acknowledgements(_ rows: PostgresRows) throws -> ([JobID: Acknowledgement], blocked: Set<JobID>) {
        var answers: [JobID: Acknowledgement] = [:]
        var blocked: Set<JobID> = []
        for row in rows {
            let id = JobID(try row.decode("job_id"))
            guard let word = try row.decode("status", as: String?.self) else {
                blocked.insert(id)
                continue
            }
            let status = JobStatus(rawValue: word)
            answers[id] = .recorded(
                status ?? .queued,
                error: try row.decode("error"),
                delay: .seconds(try row.decode("delay", as: Double.self))
            )
        }
        return (answers, blocked)
    }

    private func addCommitted(_ finishes: [JobFinish], to answers: inout [JobID: Acknowledgement]) async throws {
        let missing = finishes.filter { answers[$0.id] == nil }
        let rows = try await pool.query(.statuses(of: missing.map(\.id)))
        for row in rows {
            let id = JobID(try row.decode("job_id"))
            let status = JobStatus(rawValue: try row.decode("status", as: String.self))
            guard let status, let finish = missing.first(where: { $0.id == id }) else { continue }
            // A retry past its budget has become a failure.
            guard status == finish.status || (status == .failed && finish.status == .queued) else { continue }
            answers[id] = .recorded(status, error: finish.error, delay: finish.delay)
        }
    }
}
