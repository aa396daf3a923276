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
        let isPersistent: Bool
        /// When a job that can't begin in time is looked for no longer: where all are slow, each try is.
        let end = ContinuousClock.now + RefusedJobs.longestLook
        var refusedCount = 0
        var freeCount = 0
        var example: (job: UUID, reason: String)?

        /// Whether others can be claimed past what was found, or nothing was found where a claim comes to.
        var isOver: Bool {
            freeCount > 0 && refusedCount > 0 || freeCount >= RefusedJobs.mostFree || found.isFull || end < .now
        }
    }

    private let pool: PostgresPool
    private let logger: Logger
    private let state = Mutex(State())
    private let named = Mutex<Set<UUID>>([])
    private let warning = RecurringWarning(
        "The database does not let jobs begin; they are passed over for some minutes, and others are claimed.",
        interval: .seconds(10)
    )

    /// How long one is passed over.
    private static let pause = Duration.seconds(300)
    /// The same for one that waits for a lock, takes long or meets what should pass: that may be over soon.
    private static let pauseOfWaiting = Duration.seconds(20)
    /// How long one may wait for a lock in a try; a healthy one waits for none.
    private static let lockWait = Duration.milliseconds(100)
    /// How long a try may take; a healthy batch takes a tenth of it.
    private static let longestTry = Duration.seconds(2)
    private static let longestLook = Duration.seconds(30)
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
    /// - Parameter isPersistent: whether what should pass has been met again and again, and counts as a refusal.
    /// - Returns: whether there are any, which are passed over from now on.
    /// - Throws: `PostgresError`.
    func find(isPersistent: Bool = false) async throws -> Bool {
        let passedOver = current
        let suspects = state.withLock { state -> (PassedOver, (job: UUID, reason: String)?)? in
            state.suspects.forgetEnded()
            return state.nextLookAt.map { $0 > .now } ?? false ? nil : (state.suspects, state.example)
        }
        guard let (suspects, example) = suspects else { return false }
        let began = ContinuousClock.now
        var look = Look(found: suspects, isPersistent: isPersistent, example: example)
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
            let tried = try await tried(Array(users.keys), completing: false, look.isPersistent, until: look.end)
            for (job, reason, pause) in tried.refused {
                if reason.hasPrefix(Self.swallowed) { name(job, of: users[job] ?? "") }
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
        let jobs: [UUID] = try due.map { try $0.decode("job_id") }
        return try await tried(jobs, completing: true, false, until: .now + Self.longestLook).freeCount > 0
    }

    /// Passes over jobs whose claim a trigger has swallowed, and names each once.
    func passOver(_ swallowed: [(id: UUID, user: String)]) {
        state.withLock { state in
            for job in swallowed { state.passedOver.add(job.id, of: job.user, until: .now + Self.pause) }
        }
        for job in swallowed { name(job.id, of: job.user) }
    }

    private func name(_ job: UUID, of user: String) {
        let isNew = named.withLock { $0.count < Self.mostNamed && $0.insert(job).inserted }
        guard isNew else { return }
        logger.warning(
            "A trigger on sync_jobs returns NULL and so keeps a job from beginning; it is passed over for some minutes.",
            metadata: [
                "job": "\(JobID(job))", "user": "\(user)",
                "advice": "Have the BEFORE UPDATE trigger return NEW, or end the job: syncctl cancel \(JobID(job))",
            ]
        )
    }

    /// As `sync_jobs_refused` says it.
    private static let swallowed = "SY003"
    private static let mostNamed = 10_000

    private struct Trial {
        var refused: [(job: UUID, reason: String, pause: Duration)] = []
        var freeCount = 0

        static func + (first: Trial, second: Trial) -> Trial {
            Trial(refused: first.refused + second.refused, freeCount: first.freeCount + second.freeCount)
        }
    }

    /// Tries which of these jobs can begin; those that take too long together are divided until one is alone.
    private func tried(
        _ jobs: [UUID],
        completing: Bool,
        _ isPersistent: Bool,
        until end: ContinuousClock.Instant
    ) async throws -> Trial {
        guard !jobs.isEmpty, end > .now else { return Trial() }
        do {
            return try await tried(jobs, completing: completing, isPersistent)
        } catch let error as PostgresError where error.isOutOfTime {
            guard jobs.count > 1 else {
                return Trial(refused: [(jobs[0], "\(error)", Self.pauseOfWaiting)])
            }
            let half = jobs.count / 2
            let first = try await tried(Array(jobs[..<half]), completing: completing, isPersistent, until: end)
            return first + (try await tried(Array(jobs[half...]), completing: completing, isPersistent, until: end))
        }
    }

    private func tried(_ jobs: [UUID], completing: Bool, _ isPersistent: Bool) async throws -> Trial {
        var trial = Trial()
        var unknownCount = 0
        let query = PostgresQuery.refusedJobs(among: jobs, completing: completing)
        let rows = try await pool.batch([.limitLockWait(Self.lockWait), query], timeout: .after(Self.longestTry))[1]
        for row in rows {
            let state = try row.decode("state", as: String?.self).map(SQLState.init(rawValue:))
            if let state, state.isRefusal || state == .lockNotAvailable || isPersistent && state.mayBeOfOneRow {
                let pause = state.isRefusal ? Self.pause : Self.pauseOfWaiting
                let reason = "\(state): \(try row.decode("message", as: String.self))"
                trial.refused.append((try row.decode("job_id"), reason, pause))
            } else {
                // Somebody has it locked, or it met something that passes.
                unknownCount += 1
            }
        }
        trial.freeCount = jobs.count - trial.refused.count - unknownCount
        return trial
    }
}

extension SQLState {
    /// Whether a statement that met it would meet it again: nothing about the moment or the connection is at fault.
    fileprivate var isRefusal: Bool { !["08", "25", "40", "53", "55", "57", "58"].contains(classCode) }
}

extension PostgresError {
    /// Whether a statement ran for longer than it may, by this program's limit or the server's.
    var isOutOfTime: Bool { code == .queryTimedOut || sqlState == .queryCanceled }

    /// Whether what one row brings about can be behind it, as a trigger that asks another server, and no other row
    /// would meet it. A server that takes no writes is everybody's matter.
    var mayBeOfOneRow: Bool { sqlState?.mayBeOfOneRow ?? (code == .queryTimedOut) }
}

extension SQLState {
    fileprivate var mayBeOfOneRow: Bool { self != .readOnlySQLTransaction }
}
