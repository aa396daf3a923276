internal import Foundation
internal import JobQueue
internal import Logging
internal import Postgres

/// Writes what happens to the notes of one job, many events in one transaction and one round trip: while one is under way, the next gathers.
/// There is no timer, so a single event that somebody waits for waits for nothing.
///
/// Every transaction matches job and lease: what a job writes after its lease is lost is nothing. While
/// the database is away it tries again for as long as the lease can be trusted.
actor NoteJournal {
    private struct Pending {
        var entry: JournalEntry
        /// Called when it is durable, or when it is known not to become so; nil if nobody waits for that.
        var conclude: ((Result<Void, any Error>) -> Void)?
    }

    private let pool: PostgresPool
    private let context: JobContext
    private var pending: [Pending] = []
    private var isFlushing = false
    private var isFlushDue = false
    private var progress = JobProgress()
    private let reconnect = Backoff(base: .milliseconds(100), cap: .seconds(3))

    init(pool: PostgresPool, context: JobContext) {
        self.pool = pool
        self.context = context
    }

    /// How far the job is, as of what was last handed in.
    var currentProgress: JobProgress { progress }

    /// Longest time a line that nobody waits for stays unwritten.
    private static let noteInterval = Duration.milliseconds(250)

    /// Returns when the entry is durable.
    ///
    /// Is not broken off by cancellation: what has happened at Notion is recorded as long as the lease is held.
    ///
    /// - Parameter next: a note whose intent is to be committed in the same transaction, and which is then told.
    /// - Throws: `JobQueueError` with code `leaseLost`, then nothing was written; or what the database refuses.
    func record(_ entry: JournalEntry, handingOverTo next: NoteSlots.Candidate? = nil) async throws {
        try await withCheckedThrowingContinuation { waiter in
            hand(in: entry) { waiter.resume(with: $0) }
            if let next { hand(in: next.intent, conclude: next.admit) }
            beginFlushing()
        }
    }

    private func hand(in entry: JournalEntry, conclude: ((Result<Void, any Error>) -> Void)? = nil) {
        progress.add(entry)
        pending.append(Pending(entry: entry, conclude: conclude))
    }

    /// Hands in a line about the course of the job, which nothing depends on: it goes with the next entry, or soon.
    func note(_ entry: JournalEntry) {
        hand(in: entry)
        guard !isFlushing, !isFlushDue else { return }
        isFlushDue = true
        Task {
            // Nobody cancels this task.
            try? await Task.sleep(for: Self.noteInterval)
            self.flushWhatIsDue()
        }
    }

    /// Writes what nobody has waited for; to be called before the job's end is recorded.
    func close() async {
        guard !pending.isEmpty else { return }
        do {
            try await record(JournalEntry())
        } catch {
            context.logger.info("The last lines of the job's log are lost.", metadata: ["error": "\(error)"])
        }
    }

    /// Counts without waiting; written with the next entry.
    func count(processed: Int) {
        progress.processed += processed
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
        while !pending.isEmpty {
            let batch = pending
            pending = []
            await flush(batch)
        }
        isFlushing = false
    }

    private func flush(_ batch: [Pending]) async {
        var failures = 0
        while true {
            do {
                try await write(batch.map(\.entry))
                for item in batch { item.conclude?(.success(())) }
                return
            } catch let error as PostgresError where error.isRetryable || error.isConnectionFailure {
                guard context.lease.loss == nil else { return fail(batch, leaseLost(error)) }
                context.logger.warning(
                    "The state of notes can't be recorded; trying again.",
                    metadata: ["entries": "\(batch.count)", "error": "\(error)"]
                )
                // Runs in a task of its own, which nobody cancels.
                try? await Task.sleep(for: reconnect.wait(retry: failures, atLeast: .milliseconds(50)))
                failures += 1
            } catch let error as JobQueueError {
                return fail(batch, error)
            } catch  where batch.count > 1 {
                // One entry the database refuses must not take the others with it.
                for single in batch { await flush([single]) }
                return
            } catch {
                return fail(batch, error)
            }
        }
    }

    private func write(_ entries: [JournalEntry]) async throws {
        let job = context.job
        // The proof that the lease is held comes last: it holds the job's row no longer than it must.
        let statements =
            JournalBatch(entries).statements(job: job)
            + [.recordProgress(progress, job: job.id, lease: job.lease)]
        do {
            // Not to be broken off: the task that calls this is nobody's to cancel.
            _ = try await pool.batch(statements)
        } catch let error as PostgresError where error.sqlState == .leaseLost {
            throw JobQueueError(.leaseLost, "The job was taken from this worker.")
        }
    }

    private func fail(_ batch: [Pending], _ error: any Error) {
        for item in batch {
            if let conclude = item.conclude {
                conclude(.failure(error))
            } else {
                context.logger.info("A line of the job's log is lost.", metadata: ["error": "\(error)"])
            }
        }
    }

    private func leaseLost(_ cause: PostgresError) -> JobQueueError {
        JobQueueError(.leaseLost, "The database was away until the lease may have run out: \(cause)")
    }
}

/// Counts of a job's notes.
struct JobProgress: Sendable, Equatable {
    var total = 0
    var processed = 0
    var failed = 0
    var created = 0
    var updated = 0

    mutating func add(_ entry: JournalEntry) {
        if let total = entry.total { self.total = total }
        processed += entry.processed
        failed += entry.failed
        created += entry.created
        updated += entry.updated
    }
}
