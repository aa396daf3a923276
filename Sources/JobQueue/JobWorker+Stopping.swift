internal import Logging
internal import Postgres
internal import Support

/// How a worker ends in order.
extension JobWorker {
    /// Jobs whose handlers have not returned, or whose ends are not recorded.
    var unfinished: Int { running.count + lost.count }

    func waitForJobs(atMost limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while unfinished > 0, ContinuousClock.now < deadline, !Task.isCancelled {
            await jobEnded.wait(atMost: deadline - .now)
        }
    }

    /// Leases of this process, and numbers that a claim without an answer may have given to some.
    var heldLeases: [Lease] {
        running.all.map(\.job.lease) + numbers.lost.flatMap { $0.leases.map(Lease.init) }
    }

    /// Says that this process ends in order, whatever becomes of the jobs with these leases: those that it can't record
    /// any more, as somebody has their rows locked, have not killed it. Tries until the process is about to end, as the
    /// database may come back until then.
    ///
    /// What is recorded all the same has no lease any more, and then this means nothing.
    func recordStop(leaving leases: [Lease]) async {
        let end = ContinuousClock.now + Self.lastMoment + .seconds(1)
        while true {
            do {
                let configuration = configuration
                _ = try await self.leases.query(
                    .recordStop(of: configuration.instance, named: configuration.name, leaving: leases)
                )
                return
            } catch {
                guard .now + Self.recordPause < end else {
                    return logger.warning(
                        "It is not recorded that this worker ends in order; its jobs will count as those of one that died.",
                        metadata: ["jobs": "\(leases.count)", "error": "\(error)"]
                    )
                }
                // Not cancelled: the process ends, or the time is over.
                try? await DeadlineQueue.shared.sleep(for: Self.recordPause)
            }
        }
    }

    private static let recordPause = Duration.milliseconds(100)

    func leave() async {
        do {
            // Within a few seconds: where this worker's connections have gone silent, what follows uses new ones.
            try await uncancellable { try await self.leases.checkAnswers() }
            await keeper.recordEnded(pool)
            let (configuration, left) = (configuration, heldLeases)
            // Whoever holds the row is not waited for.
            try await uncancellable {
                _ = try await self.pool.batch(
                    [
                        .limitLockWait(.seconds(1)),
                        .recordStop(of: configuration.instance, named: configuration.name, leaving: left),
                        .forgetWorker(configuration.instance),
                    ]
                )
            }
            hasForgottenItself.store(true, ordering: .relaxed)
        } catch {
            logger.info("The worker's row stays; it is deleted in an hour.", metadata: ["error": "\(error)"])
        }
    }
}
