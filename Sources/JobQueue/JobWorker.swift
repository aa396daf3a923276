internal import Foundation
public import Logging
public import Postgres
public import ServiceLifecycle
import Support

/// Worker of the queue: claims due jobs up to its slots, runs them, renews their leases and records how they ended;
/// rescues and prunes on the side. As many of them as wanted may share a database.
///
/// It never ends because the database is away. On graceful shutdown it claims no more, asks running jobs to hand
/// themselves back, records that and returns within `shutdownGrace` and a few seconds.
public final class JobWorker: Service {
    let pool: PostgresPool
    private let listener: PostgresListener
    let configuration: JobWorkerConfiguration
    let logger: Logger
    let running: RunningJobs
    let lost: LostJobs
    private let (dueTimes, pauseEnds) = (DueTimes(), PauseEnds())
    private let stop = StopSignal()
    private let (wake, slotFree, secondLook) = (Wakeup(), Wakeup(), Wakeup())
    let jobEnded = Wakeup()
    private let hearing = Hearing()
    let numbers = LeaseNumbers()
    let leases: LeaseConnection
    let keeper: LeaseKeeper
    private let completer: Completer
    private let claimer: Claimer
    private let unparker: Unparker
    private let claimLoop: ClaimLoop
    private let runner: JobRunner
    private let rescuer: Rescuer
    private let pruner: Pruner
    private let notificationQueue: NotificationQueueWatch
    let hasForgottenItself = Atomic<Bool>(false)

    /// Connections that a worker takes besides those of its pool.
    public static let ownConnections = 2

    /// Channels of NOTIFY, as the triggers of `sync_jobs` name them.
    private static let wakeChannel = "sync_jobs"
    private static let revokedChannel = "sync_jobs_revoked"
    /// How long the worker that was woken has, before the others look.
    private static let headStart = Duration.milliseconds(100)
    /// For recording results once the grace period is over.
    static let lastMoment = Duration.seconds(3)

    /// - Parameters:
    ///   - pool: wants four connections for the worker itself besides those its jobs use.
    ///   - database: where the listener opens a connection of its own, and the leases another: a worker takes
    ///     ``ownConnections`` besides the pool. Through a pooler in transaction mode jobs are found by polling alone.
    ///   - hold: who may keep it from claiming.
    ///   - notices: what else is listened for on its connection.
    ///   - onFailure: told of each job that failed for good, once that is recorded.
    ///   - handler: runs a job.
    public init(
        pool: PostgresPool,
        database: PostgresConfiguration,
        configuration: JobWorkerConfiguration,
        logger: Logger,
        hold: ClaimHold = ClaimHold(),
        notices: WorkerNotices? = nil,
        onFailure: @escaping @Sendable (FailedJob) async -> Void = { _ in },
        handler: @escaping JobHandler
    ) {
        self.pool = pool
        lost = LostJobs(ended: jobEnded)
        self.configuration = configuration
        running = RunningJobs(slots: configuration.slots)
        self.logger = logger
        leases = LeaseConnection(
            database: database,
            others: pool,
            limit: configuration.answerLimit,
            connectTimeout: configuration.leaseConnectTimeout,
            logger: logger
        )
        keeper = LeaseKeeper(
            connection: leases,
            configuration: configuration,
            running: running,
            wake: wake,
            hearing: hearing,
            numbers: numbers,
            logger: logger
        )
        listener = PostgresListener(
            configuration: database,
            channels: [Self.wakeChannel, Self.revokedChannel] + (notices.map { [$0.channel] } ?? []),
            addressee: configuration.instance.description,
            hearingInterval: configuration.hearingInterval,
            logger: logger
        ) { [hearing, keeper, wake, secondLook] event in
            if notices?.take(event) == true { return }
            switch event {
            case .listening:
                if hearing.set(.listening) { keeper.announce() }
                // What was sent while nobody listened is found by looking.
                wake.signal()
            case .notification(channel: Self.revokedChannel, isAddressed: _):
                keeper.check()
            case .notification(channel: _, isAddressed: let isChosen):
                // Another was chosen: if that one does not take the job, this one finds it at the look it takes in a
                // moment.
                if isChosen { wake.signal() } else { secondLook.signal() }
            case .disconnected:
                // The listener says so itself, and comes back by itself.
                guard hearing.set(.deaf) else { break }
                keeper.announce()
                wake.signal()
            case .pooled:
                guard hearing.set(.pooled) else { break }
                logger.notice(
                    "The database is behind a pooler that gives each transaction another session: jobs are found by polling.",
                    metadata: ["seconds": "\(configuration.pollInterval.formattedSeconds)"]
                )
            }
        }
        claimer = Claimer(
            pool: pool,
            configuration: configuration,
            numbers: numbers,
            pauseEnds: pauseEnds,
            logger: logger
        )
        unparker = Unparker(pool: pool, wake: wake, logger: logger)
        completer = Completer(
            pool: pool,
            claimer: claimer,
            unparker: unparker,
            running: running,
            stop: stop,
            hold: hold,
            logger: logger,
            onRelease: { [jobEnded, slotFree] in
                jobEnded.signal()
                slotFree.signal()
            },
            onFailing: { [keeper] in keeper.setFailingToRecord($0) }
        )
        // A worker that waits for its next poll says at once that it is not to be woken.
        hold.whenHeld { [wake] in wake.signal() }
        claimLoop = ClaimLoop(
            configuration: configuration,
            claimer: claimer,
            keeper: keeper,
            hearing: hearing,
            running: running,
            dueTimes: dueTimes,
            wake: wake,
            slotFree: slotFree,
            stop: stop,
            hold: hold,
            logger: logger
        )
        runner = JobRunner(
            configuration: configuration,
            completer: completer,
            stop: stop,
            lost: lost,
            handler: handler,
            onFailure: onFailure,
            logger: logger
        )
        rescuer = Rescuer(
            pool: pool,
            configuration: configuration,
            logger: logger,
            wake: wake,
            dueTimes: dueTimes,
            unparker: unparker,
            clock: DatabaseClock(lease: configuration.lease),
            isSettled: { [keeper] in keeper.isSettled },
            isReturning: { [keeper] in keeper.isReturning },
            onFailure: onFailure
        )
        pruner = Pruner(pool: pool, configuration: configuration, logger: logger)
        notificationQueue = NotificationQueueWatch(
            pool: pool,
            logger: logger,
            hearing: hearing,
            interval: configuration.hearingInterval * 6
        ) { [keeper, wake] in
            keeper.announce()
            wake.signal()
        }
    }

    /// Whether it has jobs in its hands, or has given up recording the end of one.
    public var hasUnfinishedJobs: Bool { unfinished > 0 || completer.hasAbandoned }

    /// Whether it has ended and deleted its row.
    public var hasLeft: Bool { hasForgottenItself.load(ordering: .relaxed) }

    public func run() async throws {
        // A job may ask for it too.
        let watch = stop.whenRequested { [wake, slotFree] in
            wake.signal()
            slotFree.signal()
        }
        defer { stop.forget(watch) }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { background in
                background.addTask { await self.completer.run() }
                background.addTask { await self.keeper.run() }
                background.addTask { await self.keeper.watch() }
                background.addTask { await self.unparker.run() }
                background.addTask { await self.claimer.returnSwallowed() }
                background.addTask { await self.pauseEnds.run(self.pool, wake: self.wake, logger: self.logger) }
                background.addTask { await self.rescuer.run() }
                background.addTask { await self.pruner.run() }
                background.addTask { await self.notificationQueue.run() }
                background.addTask { await self.listen() }
                background.addTask { await self.lookAgain() }
                await self.runJobs()
                background.cancelAll()
            }
        } onGracefulShutdown: {
            self.stop.request()
        }
        await leave()
        await leases.close()
    }

    /// Claims and runs jobs until the worker is to stop, then waits for those that run.
    private func runJobs() async {
        await withDiscardingTaskGroup { jobs in
            await claimLoop.run { entries in
                running.replace([], by: entries)
                for entry in entries { jobs.addTask { await self.run(entry) } }
            }
            guard unfinished > 0 else { return }
            // What its jobs leave behind is for others, who are to be woken for it.
            jobs.addTask { await self.keeper.stopWakeups() }
            logger.notice("Stopping: running jobs hand themselves back.", metadata: ["jobs": "\(unfinished)"])
            await waitForJobs(atMost: configuration.shutdownGrace)
            guard unfinished > 0 else { return }
            logger.warning(
                "The grace period is over; running jobs are broken off.",
                metadata: ["jobs": "\(unfinished)"]
            )
            let left = Task { await recordStop(leaving: heldLeases) }
            jobs.cancelAll()
            lost.abort()
            await waitForJobs(atMost: Self.lastMoment)
            completer.end()
            await left.value
        }
    }

    /// Runs a job, and those that are claimed in its place as long as there are any.
    private func run(_ entry: RunningJobs.Entry) async {
        var current: RunningJobs.Entry? = entry
        while let entry = current {
            let end = await runner.run(entry)
            if let status = end.status { keeper.count(status) }
            // There already if its end was recorded.
            running.remove(entry)
            if let dueAgain = end.dueAgain { dueTimes.add(.now + dueAgain, isLeft: end.isLeftToOthers) }
            current = end.next
            jobEnded.signal()
            guard current == nil else { continue }
            slotFree.signal()
            if end.mayBeMore || end.dueAgain != nil { wake.signal() }
        }
    }

    private func listen() async {
        do {
            try await listener.run()
        } catch {
            logger.error("Notifications have ended; polling goes on.", metadata: ["error": "\(error)"])
        }
    }

    /// Looks a moment after others were woken, once for all that were woken meanwhile.
    private func lookAgain() async {
        while !Task.isCancelled {
            guard await secondLook.wait(atMost: .seconds(3600)) else { continue }
            // Cancellation ends the loop. Spread out, so that the others do not all look at once.
            try? await DeadlineQueue.shared.sleep(for: Self.headStart * Double.random(in: 1...2))
            wake.signal()
        }
    }
}
