internal import Foundation
internal import JobQueue
internal import Logging
internal import Postgres
import Support

/// Writes what happens to the notes of one job, many events in one transaction and one round trip: while one is under
/// way, the next gathers. There is no timer, so a single event that somebody waits for waits for nothing.
///
/// Every transaction matches job and lease: what a job writes after its lease is lost is nothing. Only what became of a
/// request is recorded all the same, under the number of the request. While the database is away it tries again.
actor NoteJournal {
    /// When the transaction of an entry was sent, at the earliest.
    typealias Commit = Result<ContinuousClock.Instant, any Error>

    struct Pending {
        var entry: JournalEntry
        /// Called when it is durable, or when it is known not to become so; nil if nobody waits for that.
        var conclude: ((Commit) -> Void)?
        /// Whether a transaction with it may have been committed though no answer came.
        var mayBeDurable = false

        /// What is still to be recorded of it without the lease: what became of a request. One that may have been begun
        /// in the tables was never sent, as nobody was told that it is.
        var outcome: Pending? {
            if entry.isOutcome { return self }
            guard mayBeDurable, let begun = entry.begun else { return nil }
            let withdrawn = RequestReference(noteID: begun.noteID, request: begun.request)
            return Pending(entry: JournalEntry(withdrawn: withdrawn), conclude: conclude)
        }
    }

    let pool: PostgresPool
    let context: JobContext
    private var pending: [Pending] = []
    private var isFlushing = false
    private var isFlushDue = false
    private var progress = JobProgress()
    /// Lines of a sync in which nothing has happened yet.
    private var preface: [LogLine] = []
    private var logLimit: JobLogLimit
    private var successRecordedAt: ContinuousClock.Instant?
    /// When the last write that succeeded was sent, while other runs have not been told.
    private var unrecordedSuccess: ContinuousClock.Instant?
    /// What the server's clock said before a certain instant: what is reckoned from it is never too late, however long
    /// a statement takes to get there. A success that seems later than it was would make an outage look like the fault
    /// of a note.
    private var serverClock: (time: Date, readBefore: ContinuousClock.Instant)?
    /// Short, as others may go on with the user's notes a while after the database is back.
    private let failure = RecurringWarning("The state of notes can't be recorded; trying again.")
    private let logLock: LogLock
    private let lockedLines = RecurringWarning(
        "Another session has sync_logs locked, as CREATE INDEX does: what happens is recorded without its lines in the job's log."
    )
    private let lostLines = RecurringWarning(
        "The database refuses lines of the job's log, which are lost; what they are about is recorded.",
        interval: .seconds(3600)
    )
    private var returnPatience = ReturnPatience()
    private let areBack = Wakeup()
    private var outcomesHandedIn = 0
    private var awaitedOutcomes: Int?
    private let reconnect = Backoff(base: .milliseconds(100), cap: .seconds(1))

    /// - Parameter maximumLogLines: of each kind; see ``JobLogLimit``.
    init(pool: PostgresPool, context: JobContext, maximumLogLines: Int) {
        logLimit = JobLogLimit(maximum: maximumLogLines)
        self.pool = pool
        self.context = context
        logLock = LogLock(pool: pool)
    }

    /// How far the job is, as of what was last handed in.
    var currentProgress: JobProgress { progress }

    /// Longest time a line that nobody waits for stays unwritten.
    private static let noteInterval = Duration.milliseconds(250)

    /// Returns when the entry is durable.
    ///
    /// Is not ended by cancellation: what has happened at Notion is recorded, whoever holds the job.
    ///
    /// - Parameter next: a note whose intent is to be committed in the same transaction, and which is then told.
    /// - Returns: when the transaction was sent, at the earliest.
    /// - Throws: `JobQueueError` with code `leaseLost`: then nothing was written but what became of a request;
    ///   ``OvertakenIntent`` for an intent that is not begun; or what the database refuses.
    @discardableResult
    func record(
        _ entry: JournalEntry,
        handingOverTo next: NoteSlots.Candidate? = nil
    ) async throws -> ContinuousClock.Instant {
        try await withCheckedThrowingContinuation { waiter in
            hand(in: entry) { waiter.resume(with: $0) }
            if let next { hand(in: next.intent, conclude: next.admit) }
            beginFlushing()
        }
    }

    private func hand(in entry: JournalEntry, conclude: ((Commit) -> Void)? = nil) {
        var entry = entry
        if entry.isWorthTelling, !preface.isEmpty {
            entry.logs = preface + entry.logs
            preface = []
        }
        entry.logs = logLimit.admit(entry.logs)
        if let began = entry.succeededCall { unrecordedSuccess = max(unrecordedSuccess ?? began, began) }
        progress.add(entry)
        pending.append(Pending(entry: entry, conclude: conclude))
        guard entry.isOutcome else { return }
        outcomesHandedIn += 1
        if outcomesHandedIn == awaitedOutcomes { areBack.signal() }
    }

    /// Hands in a line about the course of the job, which nothing depends on: it goes with the next entry, or soon.
    func note(_ entry: JournalEntry) {
        hand(in: entry)
        guard !isFlushing, !isFlushDue else { return }
        isFlushDue = true
        Task {
            // Nobody cancels this task.
            try? await DeadlineQueue.shared.sleep(for: Self.noteInterval)
            self.flushWhatIsDue()
        }
    }

    /// Hands in the line that opens the job's log. It waits until there is more to say: a claim that ends at a closed
    /// gate has not begun.
    func open(_ line: LogLine) {
        preface.append(line)
    }

    /// Hands in a line about how the job begins. That of an incremental sync waits until something happens: most find
    /// no change, and are one line of their log.
    func begin(_ line: LogLine) {
        if context.job.isFullSync || context.job.attempt > 1 {
            note(JournalEntry(logs: [line]))
        } else {
            preface.append(line)
        }
    }

    /// Nothing has happened: the line that ends the sync says all there is to say.
    func dropPreface() {
        preface = []
    }

    /// Writes what nobody has waited for; to be called before the job's end is recorded.
    func close() async {
        await recordSuccess(atOnce: true)
        if let summary = logLimit.summary { pending.append(Pending(entry: JournalEntry(logs: [summary]))) }
        guard !pending.isEmpty || !preface.isEmpty else { return }
        do {
            let rest = JournalEntry(logs: preface)
            preface = []
            try await record(rest)
        } catch {
            context.logger.info("The last lines of the job's log are lost.", metadata: ["error": "\(error)"])
        }
    }

    /// Counts without waiting; written with the next entry.
    func count(_ entry: JournalEntry) {
        progress.add(entry)
    }

    private func flushWhatIsDue() {
        isFlushDue = false
        if !pending.isEmpty { beginFlushing() }
    }

    private func beginFlushing() {
        guard !isFlushing else { return }
        isFlushing = true
        Task { await self.drain() }
    }

    private func drain() async {
        var last: (begun: Int, time: Duration)?
        while !pending.isEmpty {
            // Half a batch costs nearly as much as a whole one.
            await gather { pending.count }
            if let last { await waitForReturns(of: last.begun, after: last.time) }
            let batch = pending
            pending = []
            let began = ContinuousClock.now
            await flush(batch)
            last = (batch.count { $0.entry.begun != nil }, .now - began)
        }
        isFlushing = false
        await recordSuccess()
    }

    private func waitForReturns(of begun: Int, after lastFlush: Duration) async {
        guard begun > 0, let limit = returnPatience.wait(after: lastFlush) else { return }
        let goal = outcomesHandedIn + (begun + 1) / 2
        let end = ContinuousClock.now + limit
        awaitedOutcomes = goal
        while outcomesHandedIn < goal, .now < end { await areBack.wait(atMost: end - .now) }
        awaitedOutcomes = nil
        returnPatience.learned(areBack: outcomesHandedIn >= goal)
    }

    private func flush(_ batch: [Pending]) async {
        var batch = batch
        var failures = 0
        var locks = LockPatience()
        var refusal: PostgresError?
        var isWithoutLines = logLock.isKnown
        while true {
            do {
                let began = ContinuousClock.now
                let hasLines = refusal == nil && !isWithoutLines
                let overtaken = try await write(batch.map { hasLines ? $0.entry : $0.entry.withoutLogs })
                if let refusal { lostLines.log(context.logger, ["error": "\(refusal)"]) }
                for item in batch {
                    let isOvertaken = item.entry.begun.map { overtaken.contains($0.request) } ?? false
                    item.conclude?(isOvertaken ? .failure(OvertakenIntent()) : .success(began))
                }
                return
            } catch let error as PostgresError where error.isRetryable || error.isConnectionFailure {
                if error.sqlState == .lockNotAvailable, !isWithoutLines,
                    batch.contains(where: { !$0.entry.logs.isEmpty }),
                    await logLock.isLocked()
                {
                    isWithoutLines = true
                    lockedLines.log(context.logger, [:])
                    continue
                }
                if error.leavesDoubt { for index in batch.indices { batch[index].mayBeDurable = true } }
                if locks.isOver(after: error) { context.lease.letGoHeldUp() }
                guard context.lease.loss == nil else {
                    return await flushOutcomes(of: batch, because: leaseLost(error))
                }
                await pause(batch, failures, error)
                failures += 1
            } catch let error as JobQueueError {
                return await flushOutcomes(of: batch, because: error)
            } catch let error as PostgresError where refusal == nil && batch.contains(where: { !$0.entry.logs.isEmpty })
            {
                // Lines of the log keep nothing from being recorded.
                refusal = error
            } catch  where batch.count > 1 {
                // One entry the database refuses must not take the others with it.
                for single in batch { await flush([single]) }
                return
            } catch {
                return await flushOutcomes(of: batch, because: error)
            }
        }
    }

    func pause(_ batch: [Pending], _ failures: Int, _ error: PostgresError) async {
        failure.log(context.logger, ["entries": "\(batch.count)", "error": "\(error)"])
        // A try that waits for a lock has a connection for as long as it waits, and may go on for hours.
        let isLetGo = error.sqlState == .lockNotAvailable && context.lease.loss == .heldUp
        let least = isLetGo ? Duration.seconds(2) : .milliseconds(50)
        // Runs in a task of its own, which nobody cancels.
        try? await DeadlineQueue.shared.sleep(for: reconnect.wait(retry: failures, atLeast: least))
    }

    /// An outside transaction may have locked the job's record or a note, and go on to other notes of the user, which a
    /// batch has locked by then. The batch gives way and is made again.
    ///
    /// - Returns: requests that were not begun.
    private func write(_ entries: [JournalEntry]) async throws -> Set<RequestID> {
        let job = context.job
        let batch = JournalBatch(entries)
        // A try that is sent again has a new number: what is left of the first on its way is refused once this is
        // there.
        progress.transaction += 1
        // The proof that the lease is held comes late: it holds the job's row no longer than it must.
        let proof = PostgresQuery.recordProgress(progress, job: job.id, lease: job.lease)
        do {
            // Not to be cancelled: the task that calls this is nobody's to cancel.
            let locks = batch.locks(job: job, isHolder: true)
            let rows = try await pool.batch(locks + batch.statements(job: job, proof: proof))
            progress.committed = progress.transaction
            let proven = rows.dropLast(batch.logs.isEmpty ? 0 : 1).last?.first
            serverClock = try proven.map { (try $0.decode("now"), .now) } ?? serverClock
            guard !batch.begun.isEmpty else { return [] }
            let begun = try rows[locks.count].map { RequestID(rawValue: try $0.decode("request")) }
            return Set(batch.begun.map(\.request)).subtracting(begun)
        } catch let error as PostgresError where error.sqlState == .leaseLost {
            throw JobQueueError(
                .leaseLost,
                "The job was taken from this worker, or the database has lost what was recorded of it."
            )
        }
    }

    /// How often a success is told to other runs.
    private static let successInterval = Duration.seconds(1)

    /// Tells other runs that the writer is well. By itself, so that the row, which all workers write, is never locked
    /// while something else is waited for.
    private func recordSuccess(atOnce: Bool = false) async {
        let isDue = successRecordedAt.map { ContinuousClock.now - $0 > Self.successInterval } ?? true
        guard let success = unrecordedSuccess, let serverClock, isDue || atOnce else { return }
        unrecordedSuccess = nil
        successRecordedAt = .now
        do {
            let time = serverClock.time + (success - serverClock.readBefore).seconds
            try await pool.execute(.recordPeerSuccess(of: WriterHealth.peer, at: time))
        } catch {
            context.logger.debug("A success of the writer is not told.", metadata: ["error": "\(error)"])
        }
    }

    private func leaseLost(_ cause: PostgresError) -> JobQueueError {
        let what =
            cause.sqlState == .lockNotAvailable
            ? "Another session has had what the job writes locked" : "The database was away"
        return JobQueueError(.leaseLost, "\(what) until the lease may have run out: \(cause)")
    }
}

extension PostgresError {
    /// Whether what was sent may have been committed all the same: the server has not said that it refuses it.
    fileprivate var leavesDoubt: Bool { sqlState == nil || isConnectionFailure }
}
