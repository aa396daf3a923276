import Foundation
import Logging
import Postgres
import Support

/// Jobs that the database does not let begin, by a constraint or trigger of somebody else's for example. They are
/// passed over for a while, so that they do not keep the others from being claimed.
final class RefusedJobs: Sendable {
    private struct State {
        var passedOver = PassedOver()
        /// What was found while there was nothing but refused jobs, so that it is not tried again each time.
        var suspects = PassedOver()
        /// One of them, and why the database refuses it.
        var example: (job: UUID, reason: String)?
        /// When to look again, as the last look found nothing but refused jobs.
        var nextLookAt: ContinuousClock.Instant?
    }

    /// What a look through the queue has come to.
    private struct Look {
        var found: PassedOver
        var refusedCount = 0
        var freeCount = 0
        var example: (job: UUID, reason: String)?

        /// Whether others can be claimed past what was found, or nothing was found where a claim comes to.
        var isOver: Bool { freeCount > 0 && refusedCount > 0 || freeCount >= RefusedJobs.mostFree || found.isFull }
    }

    private let pool: PostgresPool
    private let logger: Logger
    private let state = Mutex(State())
    private let warning = RecurringWarning(
        "The database does not let jobs begin; they are passed over for some minutes, and others are claimed.",
        interval: .seconds(10)
    )

    /// How long one is passed over.
    private static let pause = Duration.seconds(300)
    /// The same for one that waits for a lock, which may be gone soon.
    private static let pauseOfWaiting = Duration.seconds(20)
    /// How long one may wait for a lock in a try; a healthy one waits for none.
    private static let lockWait = Duration.milliseconds(100)
    /// Jobs that are tried together at most.
    private static let batch = 256
    /// Jobs that can begin, after which none is looked for any more: a claim from the head of the queue does not come
    /// so far.
    private static let mostFree = 2048
    /// Longest time between two looks that find nothing but refused jobs.
    private static let longestWait = Duration.seconds(5)

    init(pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// What is passed over now.
    var current: PassedOver {
        state.withLock { state in
            state.passedOver.forgetEnded()
            return state.passedOver
        }
    }

    /// Looks among the jobs that are due for those that can't begin, until it has come to one that can. What refuses
    /// all of them is no fault of a job.
    ///
    /// - Returns: whether there are any, which are passed over from now on.
    /// - Throws: `PostgresError`.
    func find() async throws -> Bool {
        let passedOver = current
        let suspects = state.withLock { state -> (PassedOver, (job: UUID, reason: String)?)? in
            state.suspects.forgetEnded()
            return state.nextLookAt.map { $0 > .now } ?? false ? nil : (state.suspects, state.example)
        }
        guard let (suspects, example) = suspects else { return false }
        let began = ContinuousClock.now
        var look = Look(found: suspects, example: example)
        for isForced in [true, false] where !look.isOver {
            try await go(through: isForced, except: passedOver, &look)
        }
        return conclude(look, took: .now - began)
    }

    private func go(through isForced: Bool, except passedOver: PassedOver, _ look: inout Look) async throws {
        var position: ClaimPosition?
        repeat {
            var left = passedOver
            left.formUnion(look.found)
            let due = try await pool.query(
                .dueJobs(areForced: isForced, after: position, except: left, limit: Self.batch)
            )
            var users: [UUID: String] = [:]
            for row in due { users[try row.decode("job_id")] = try row.decode("user_id") }
            let tried = try await tried(Array(users.keys), completing: false)
            for (job, reason, pause) in tried.refused {
                look.found.add(job, of: users[job] ?? "", until: .now + pause)
                look.example = look.example ?? (job, reason)
            }
            look.refusedCount += tried.refused.count
            look.freeCount += tried.freeCount
            guard let last = due.last, due.count == Self.batch else { return }
            position = try ClaimPosition(last)
        } while !look.isOver && !Task.isCancelled
    }

    private func conclude(_ look: Look, took time: Duration) -> Bool {
        let isAnyPassedOver = state.withLock { state in
            guard look.freeCount > 0, !look.found.isEmpty else {
                state.suspects = look.found
                state.example = look.example
                state.nextLookAt = .now + min(time * 4, Self.longestWait)
                return false
            }
            state.passedOver.formUnion(look.found)
            state.suspects = PassedOver()
            state.example = nil
            state.nextLookAt = nil
            return true
        }
        guard isAnyPassedOver else { return false }
        warning.log(
            logger,
            [
                "passed_over": "\(look.found.jobs.count) jobs, and all of \(look.found.users.count) users",
                "job": "\(look.example.map { JobID($0.job).description } ?? "")",
                "error": "\(look.example?.reason ?? "")",
                "advice": "Fix what refuses them, a CHECK or a trigger on sync_jobs; syncctl jobs JOB shows one.",
            ]
        )
        return true
    }

    /// Whether others have completed in the last `time`, by whatever worker, or there are due jobs that could begin and
    /// complete: then what the database refuses to record is the fault of what it refuses.
    ///
    /// - Throws: `PostgresError`.
    func isAnyCompletable(since time: Duration) async throws -> Bool {
        let recent = try await pool.query(.hasCompleted(inTheLast: time)).first
        if try recent?.decode("has_completed") ?? false { return true }
        let due = try await pool.query(.dueJobs(areForced: false, after: nil, except: current, limit: Self.batch))
        return try await tried(try due.map { try $0.decode("job_id") }, completing: true).freeCount > 0
    }

    private func tried(
        _ jobs: [UUID],
        completing: Bool
    ) async throws -> (refused: [(job: UUID, reason: String, pause: Duration)], freeCount: Int) {
        guard !jobs.isEmpty else { return ([], 0) }
        var refused: [(job: UUID, reason: String, pause: Duration)] = []
        var unknownCount = 0
        let query = PostgresQuery.refusedJobs(among: jobs, completing: completing)
        for row in try await pool.batch([.limitLockWait(Self.lockWait), query])[1] {
            let state = try row.decode("state", as: String?.self).map(SQLState.init(rawValue:))
            if let state, state.isRefusal || state == .lockNotAvailable {
                let pause = state == .lockNotAvailable ? Self.pauseOfWaiting : Self.pause
                let reason = "\(state): \(try row.decode("message", as: String.self))"
                refused.append((try row.decode("job_id"), reason, pause))
            } else {
                // Somebody has it locked, or it met something that passes.
                unknownCount += 1
            }
        }
        return (refused, jobs.count - refused.count - unknownCount)
    }
}

extension SQLState {
    /// Whether a statement that met it would meet it again: nothing about the moment or the connection is at fault.
    fileprivate var isRefusal: Bool { !["08", "25", "40", "53", "55", "57", "58"].contains(classCode) }
}
