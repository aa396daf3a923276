internal import Foundation
internal import Logging
internal import Postgres
internal import Synchronization

/// Records how runs ended, many in one statement: while one flush is under way, the results of the next gather. There is
/// no timer, so a single result waits for nothing.
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

    private struct Pending {
        var finish: JobFinish
        var continuation: CheckedContinuation<Acknowledgement, Never>
    }

    private struct State {
        var pending: [Pending] = []
        var isEnded = false
    }

    private let pool: PostgresPool
    private let logger: Logger
    private let state = Mutex(State())
    private let arrived = Wakeup()
    private let reconnect = Backoff(base: .milliseconds(100), cap: .seconds(5))

    init(pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// Records a result and returns when that is durable.
    func record(_ finish: JobFinish) async -> Acknowledgement {
        await withCheckedContinuation { continuation in
            let isEnded = state.withLock { state in
                if !state.isEnded { state.pending.append(Pending(finish: finish, continuation: continuation)) }
                return state.isEnded
            }
            if isEnded { continuation.resume(returning: .abandoned) } else { arrived.signal() }
        }
    }

    /// Flushes until the task is cancelled or `end` is called; then lets go of whoever still waits.
    func run() async {
        while !isEnded {
            let batch = state.withLock { state in
                defer { state.pending = [] }
                return state.pending
            }
            if batch.isEmpty {
                await arrived.wait(atMost: .seconds(3600))
            } else {
                await flush(batch)
            }
        }
        end()
    }

    /// Gives up: answers whoever waits, now and from now on, with `abandoned`.
    func end() {
        let abandoned = state.withLock { state in
            defer { state.pending = [] }
            state.isEnded = true
            return state.pending
        }
        for waiting in abandoned { waiting.continuation.resume(returning: .abandoned) }
        arrived.signal()
    }

    private var isEnded: Bool {
        Task.isCancelled || state.withLock { $0.isEnded }
    }

    private func flush(_ batch: [Pending]) async {
        let finishes = batch.map(\.finish).sorted { $0.id < $1.id }
        var failures = 0
        while !isEnded {
            do {
                var answers = try await recorded(finishes)
                if failures > 0, answers.count < finishes.count {
                    // An earlier try may have been committed though its answer was lost.
                    try await addCommitted(finishes, to: &answers)
                }
                for waiting in batch {
                    waiting.continuation.resume(returning: answers[waiting.finish.id] ?? .notHeld)
                }
                return
            } catch {
                logger.warning(
                    "The results of finished jobs can't be recorded; trying again.",
                    metadata: ["jobs": "\(finishes.count)", "error": "\(error)"]
                )
                await arrived.wait(atMost: reconnect.wait(retry: failures, atLeast: .milliseconds(50)))
                failures += 1
            }
        }
        for waiting in batch { waiting.continuation.resume(returning: .abandoned) }
    }

    private func recorded(_ finishes: [JobFinish]) async throws -> [JobID: Acknowledgement] {
        var answers: [JobID: Acknowledgement] = [:]
        for row in try await pool.finish(finishes) {
            let status = JobStatus(rawValue: try row.decode("status", as: String.self))
            answers[JobID(try row.decode("job_id"))] = .recorded(
                status ?? .queued,
                error: try row.decode("error"),
                delay: .seconds(try row.decode("delay", as: Double.self))
            )
        }
        return answers
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
