import FlowControl
import Foundation
import JobQueue
import Postgres
import ServiceHealth
import Support

/// Looks at a job again and again until it has ended.
struct JobWatcher: Sendable {
    let pool: PostgresPool
    let id: JobID
    /// How long to wait; nil: as long as it takes.
    var timeout: Duration?
    /// The gates of the job's user, by name.
    var gates: [String] = []

    private var jobs: JobClient { JobClient(pool: pool) }

    private static let interval = Duration.milliseconds(200)
    /// How often to look at a job that has not changed for long.
    private static let slowInterval = Duration.seconds(1)
    private static let looksBeforeSlow = 50
    /// How long the database may be away.
    private static let patience = Duration.seconds(60)

    /// How the watching ended: with the job, or before it.
    enum Ending: Sendable {
        case ended(JobRecord)
        case timedOut(JobSnapshot)
        case interrupted
    }

    /// Watches until the job ends, the time is up or a signal ends the command.
    ///
    /// - Throws: `SyncControlError` with code `notFound` when the job is gone; `PostgresError` when the database stays
    ///   away.
    func watch(_ display: ProgressDisplay) async throws -> Ending {
        do {
            return try await look(display)
        } catch is CancellationError {
            return .interrupted
        }
    }

    /// Whether any worker is there to run a job; while the database does not answer, nothing says that there is none.
    func isAnyWorkerRunning() async throws -> Bool {
        do {
            return try await jobs.workers().contains { !$0.isSilent }
        } catch let error as PostgresError where error.isConnectionFailure || error.isRetryable {
            return true
        }
    }

    private func look(_ display: ProgressDisplay) async throws -> Ending {
        var display = display
        defer { display.endLine() }
        let began = ContinuousClock.now
        var course = Course()
        while true {
            let snapshot = try await nextLook(&course)
            if let snapshot {
                try display.show(snapshot)
                if snapshot.job.status.isFinal {
                    try display.conclude(snapshot)
                    return .ended(snapshot.job)
                }
                if let timeout, ContinuousClock.now - began >= timeout { return .timedOut(snapshot) }
            }
            let pause = course.unchangedLooks < Self.looksBeforeSlow ? Self.interval : Self.slowInterval
            let left = timeout.map { max(.zero, began + $0 - .now) } ?? pause
            try await DeadlineQueue.shared.sleep(for: min(pause, left))
        }
    }

    /// One look; nil while the database has not answered even once.
    private func nextLook(_ course: inout Course) async throws -> JobSnapshot? {
        do {
            let offset = try await course.clockOffset(jobs)
            guard let job = try await jobs.job(id) else {
                throw SyncControlError(.notFound, "There is no job \(id) any more: somebody has deleted it.")
            }
            let waits = job.status == .queued ? try await jobs.holds(on: id, behind: Peer.gates + gates) : []
            let gate = job.status == .running ? try await jobs.closedGate(among: Peer.gates + gates) : nil
            return course.record(job, waits, behind: gate, now: Date().addingTimeInterval(offset))
        } catch let error as PostgresError where error.isConnectionFailure || error.isRetryable {
            guard course.mayFail(for: Self.patience) else { throw error }
            return course.unreachable()
        }
    }
}
