internal import Foundation
internal import Logging
internal import Postgres
import Support

/// Sends the heartbeat that renews the leases of all running jobs, and closes the guards of those it could not renew.
final class LeaseKeeper: Sendable {
    private let connection: LeaseConnection
    private let configuration: JobWorkerConfiguration
    private let running: RunningJobs
    private let wake: Wakeup
    private let hearing: Hearing
    private let numbers: LeaseNumbers
    private let logger: Logger
    private let due = Wakeup()
    private let wakeups = Mutex(WakeupState())
    private let isBeatDue = Atomic<Bool>(false)
    private let holdsClaims = Atomic<Bool>(false)
    private let failsToClaim = Atomic<Bool>(false)
    private let failsToRecord = Atomic<Bool>(false)
    private let isCutOff = Atomic<Bool>(false)
    private let hasReturned = Atomic<Bool>(false)
    private let ended = Mutex(EndedJobs())
    private let settledAt: Mutex<ContinuousClock.Instant>
    /// Leases that the database does not let be renewed.
    private let refused = Mutex<Set<Lease>>([])
    private let refusal = RecurringWarning(
        "The database does not let the lease of a job be renewed; the job stops when it may run out."
    )
    private let untold = RecurringWarning(
        "Another session has sync_workers locked, or sync_throughput: leases are renewed, and this worker looks as if it were silent."
    )
    private let failure = RecurringWarning("The heartbeat failed; running jobs stop when their lease may run out.")

    init(
        connection: LeaseConnection,
        configuration: JobWorkerConfiguration,
        running: RunningJobs,
        wake: Wakeup,
        hearing: Hearing,
        numbers: LeaseNumbers,
        logger: Logger
    ) {
        self.connection = connection
        self.configuration = configuration
        self.running = running
        self.wake = wake
        self.hearing = hearing
        self.numbers = numbers
        self.logger = logger
        settledAt = Mutex(.now + Self.settling(configuration.lease))
    }

    /// How long after the database's return a worker that is there may need to say so.
    static func settling(_ lease: Duration) -> Duration { lease / 4 }

    /// Whether the database has been there for that long, as far as this worker can tell.
    var isSettled: Bool { settledAt.withLock { $0 } <= .now }

    /// Looks at once whether the running jobs are still ours: somebody may have taken one away.
    func check() {
        due.signal()
    }

    /// Has the next heartbeat sent at once: what the worker's row says has changed.
    func announce() {
        isBeatDue.store(true, ordering: .relaxed)
        due.signal()
    }

    /// Says whether this worker claims no jobs for a while: people see it in its row at once.
    func setHolding(_ isHolding: Bool) {
        if holdsClaims.exchange(isHolding, ordering: .relaxed) != isHolding { announce() }
    }

    /// Says whether the database refuses this worker's claims, as above.
    func setFailingToClaim(_ isFailing: Bool) {
        if failsToClaim.exchange(isFailing, ordering: .relaxed) != isFailing { announce() }
    }

    /// Says whether the database takes none of its results, as above.
    func setFailingToRecord(_ isFailing: Bool) {
        if failsToRecord.exchange(isFailing, ordering: .relaxed) != isFailing { announce() }
    }

    /// Whether heartbeats fail, or did until a moment ago: so it may be with those of other workers, which live and
    /// have not come back yet.
    var isReturning: Bool {
        isCutOff.load(ordering: .relaxed) || hasReturned.load(ordering: .relaxed) && !isSettled
    }

    /// Whether this worker is to be woken by NOTIFY.
    var isWakeable: Bool { wakeups.withLock { $0.isWakeable } }

    func resumeWakeups() async {
        await setWakeable(true)
    }

    func stopWakeups() async {
        await setWakeable(false)
    }

    /// A change that can't be written now is written with the next heartbeat.
    private func setWakeable(_ isWakeable: Bool) async {
        let state = wakeups.withLock { state in
            state.isWakeable = isWakeable
            state.change += 1
            return state
        }
        do {
            _ = try await connection.query(.setWakeable(state, instance: configuration.instance))
        } catch {
            logger.debug("The next heartbeat says whether this worker is to be woken.", metadata: ["error": "\(error)"])
        }
    }

    /// How often running jobs are looked at, in case no notification told of a cancellation: it is heard within a
    /// second also through a connection pooler, which passes no notifications on.
    private static let lookInterval = Duration.milliseconds(700)

    func run() async {
        var failures = 0
        var nextBeat = ContinuousClock.now
        var presentSince: ContinuousClock.Instant?
        var hasLookedForNamesakes = false
        // Who looks at the workers sees how busy they are, not how busy they were.
        var shown = 0
        var budget = WakeupBudget()
        while !Task.isCancelled {
            do {
                if isBeatDue.exchange(false, ordering: .relaxed) { nextBeat = .now }
                if ContinuousClock.now < nextBeat, running.takenSlots == shown {
                    try await look()
                } else {
                    nextBeat = .now + configuration.lease / 3
                    // Heard out: one that was left alone might arrive after the worker's row has been deleted, and make
                    // it anew.
                    let isCounting = failures == 0
                    let beat = try await uncancellable { try await self.beat(counting: isCounting) }
                    shown = beat.shown
                    // A lease that could not be renewed because its row was locked.
                    if !beat.isComplete { nextBeat = .now + min(Self.lookInterval, configuration.lease / 6) }
                    if let presentSince {
                        if !hasLookedForNamesakes, presentSince + configuration.lease / 2 < .now {
                            try await connection.warnOfNamesakes(of: configuration, logger)
                            hasLookedForNamesakes = true
                        }
                    } else {
                        // Jobs that came before the worker's row was there were announced to nobody.
                        presentSince = .now
                        wake.signal()
                    }
                }
                try await connection.endUnheard()
                if failures > 0 {
                    settledAt.withLock { $0 = .now + Self.settling(configuration.lease) }
                    hasReturned.store(true, ordering: .relaxed)
                    isCutOff.store(false, ordering: .relaxed)
                }
                failures = 0
                // The silence has taken of the leases, and may be that of a server which is about to be replaced.
                if connection.takeSilence() {
                    nextBeat = .now
                } else {
                    // The next heartbeat is not late for a look: a process is taken for gone after half a lease.
                    let isAsked = await due.wait(atMost: max(min(Self.lookInterval, nextBeat - .now), .zero))
                    // Cancellation ends the loop.
                    if isAsked { try? await DeadlineQueue.shared.sleep(for: budget.spend()) }
                }
            } catch {
                if Task.isCancelled { return }
                failures += 1
                isCutOff.store(true, ordering: .relaxed)
                nextBeat = .now
                failure.log(logger, ["jobs": "\(running.count)", "error": "\(error)"])
                let backoff = Backoff(base: .milliseconds(200), cap: .seconds(1))
                await due.wait(atMost: backoff.wait(retry: failures, atLeast: .milliseconds(100)))
            }
        }
    }

    /// Tells running jobs that their lease may have run out, by this worker's own clock: also while the database does
    /// not answer and `run` waits for it.
    func watch() async {
        while !Task.isCancelled {
            let entries = running.all
            for entry in entries { entry.lease.announceLoss() }
            let next = entries.map(\.lease.validUntil).min().map { $0 - ContinuousClock.now } ?? Self.watchInterval
            // Cancellation ends the loop.
            try? await DeadlineQueue.shared.sleep(for: min(max(next, .milliseconds(20)), Self.watchInterval))
        }
    }

    /// Shorter than any lease, so that no job is begun and lost between two looks.
    private static let watchInterval = Duration.seconds(1)

    /// Counts a job that has ended.
    func count(_ status: JobStatus) {
        ended.withLock { ended in
            switch status {
            case .completed: ended.completed += 1
            case .failed: ended.failed += 1
            default: break
            }
        }
    }

    /// Writes the counts of the jobs that have ended since the last heartbeat: when no heartbeat follows. Whoever holds
    /// the row of the count is not waited for.
    func recordEnded(_ pool: PostgresPool) async {
        let left = ended.withLock { $0 }
        guard left.completed + left.failed > 0 else { return }
        do {
            let name = configuration.name
            try await uncancellable { _ = try await pool.batch([.limitLockWait(.seconds(1)), .count(left, by: name)]) }
        } catch {
            logger.info(
                "The last jobs that ended are missing in the counts of the last hour.",
                metadata: ["completed": "\(left.completed)", "failed": "\(left.failed)", "error": "\(error)"]
            )
        }
    }

    /// Renews the leases.
    ///
    /// - Parameter counting: whether to count the jobs that have ended. A heartbeat that failed may still hold the row
    ///   of the count.
    /// - Returns: how many slots were taken, and whether all were renewed that are still held.
    private func beat(counting: Bool) async throws -> (shown: Int, isComplete: Bool) {
        let (entries, taken) = (running.all, running.takenSlots)
        let counted = counting ? ended.withLock { $0 } : EndedJobs()
        let validUntil = ContinuousClock.now + configuration.trustedLease
        let firstLease = try await numbers.first(on: connection)
        let presence = WorkerPresence(
            instance: configuration.instance,
            name: configuration.name,
            slots: configuration.slots,
            running: taken,
            version: configuration.version,
            wakeups: wakeups.withLock { $0 },
            isListening: hearing.isListening,
            holdsClaims: holdsClaims.load(ordering: .relaxed),
            isFailing: failsToClaim.load(ordering: .relaxed) || failsToRecord.load(ordering: .relaxed),
            firstLease: firstLease
        )
        refused.withLock { $0.formIntersection(entries.map(\.job.lease)) }
        let passedOver = refused.withLock { $0 }
        let isComplete = try await renew(
            entries.filter { !passedOver.contains($0.job.lease) },
            of: presence,
            until: validUntil,
            counting: counted
        )
        return (taken, isComplete)
    }

    /// Renews these leases. One that the database does not let be renewed runs out alone: the others are halved until
    /// it is found.
    ///
    /// - Returns: whether all were renewed that are still held.
    private func renew(
        _ entries: [RunningJobs.Entry],
        of presence: WorkerPresence,
        until validUntil: ContinuousClock.Instant,
        counting counted: EndedJobs
    ) async throws -> Bool {
        do {
            let jobs = entries.map { (id: $0.job.id, user: $0.job.userID, lease: $0.job.lease) }
            let lease = configuration.lease
            var isToldOf = true
            var rows: PostgresRows
            do {
                rows = try await connection.query(
                    .heartbeat(worker: presence, jobs: jobs, ended: counted, lease: lease)
                )
                ended.withLock { ended in
                    ended.completed -= counted.completed
                    ended.failed -= counted.failed
                }
            } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
                rows = try await connection.query(.renewLeases(jobs, lease: lease))
                isToldOf = false
                untold.log(logger, ["error": "\(error)"])
            }
            let renewed = Set(
                try rows.filter { try $0.decode("is_renewed") }.map { JobID(try $0.decode("job_id", as: UUID.self)) }
            )
            for entry in try separate(entries, held: rows) where renewed.contains(entry.job.id) {
                entry.lease.extend(until: validUntil)
            }
            return isToldOf && renewed.count == rows.count
        } catch let error as PostgresError where error.isRefusal && !entries.isEmpty {
            // What refuses the worker's own row is no fault of a lease.
            let isComplete = try await renew([], of: presence, until: validUntil, counting: counted)
            guard entries.count == 1 else {
                var areComplete = isComplete
                for half in [entries[..<(entries.count / 2)], entries[(entries.count / 2)...]] {
                    let none = EndedJobs()
                    let isHalf = try await renew(Array(half), of: presence, until: validUntil, counting: none)
                    areComplete = areComplete && isHalf
                }
                return areComplete
            }
            refused.withLock { _ = $0.insert(entries[0].job.lease) }
            refusal.log(logger, ["job": "\(entries[0].job.id)", "error": "\(error)"])
            return isComplete
        }
    }

    /// Only reads whether the leases are still held.
    private func look() async throws {
        let entries = running.all
        guard !entries.isEmpty else { return try await connection.checkIfWaitedFor() }
        let held = try await connection.query(.held(entries.map { ($0.job.id, $0.job.lease) }))
        _ = try separate(entries, held: held)
    }

    /// Closes the guards of the jobs that are no longer ours.
    ///
    /// - Returns: those that are.
    private func separate(_ entries: [RunningJobs.Entry], held rows: PostgresRows) throws -> [RunningJobs.Entry] {
        let held = Set(try rows.map { JobID(try $0.decode("job_id", as: UUID.self)) })
        return entries.filter { entry in
            if held.contains(entry.job.id) { return true }
            entry.lease.revoke()
            return false
        }
    }
}
