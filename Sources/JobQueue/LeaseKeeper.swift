internal import Foundation
internal import Logging
internal import Postgres
internal import Synchronization

/// Sends the heartbeat that renews the leases of all running jobs, and closes the guards of those it could not renew.
final class LeaseKeeper: Sendable {
    private let pool: PostgresPool
    private let configuration: JobWorkerConfiguration
    private let running: RunningJobs
    private let wake: Wakeup
    private let logger: Logger
    private let due = Wakeup()
    private let listens = Atomic<Bool>(false)
    private let wakeable = Atomic<Bool>(true)

    init(
        pool: PostgresPool,
        configuration: JobWorkerConfiguration,
        running: RunningJobs,
        wake: Wakeup,
        logger: Logger
    ) {
        self.pool = pool
        self.configuration = configuration
        self.running = running
        self.wake = wake
        self.logger = logger
    }

    /// Sends a heartbeat at once: somebody may have taken a job away.
    func check() {
        due.signal()
    }

    /// Says whether notifications arrive. While they do not, running jobs are looked after every half second, so that a
    /// cancellation is still heard within a second.
    func listening(_ isListening: Bool) {
        listens.store(isListening, ordering: .relaxed)
        due.signal()
    }

    /// What the next heartbeats say about the wish to be woken.
    var isWakeable: Bool {
        get { wakeable.load(ordering: .relaxed) }
        set { wakeable.store(newValue, ordering: .relaxed) }
    }

    func run() async {
        var failures = 0
        var isPresent = false
        while !Task.isCancelled {
            do {
                try await beat()
                failures = 0
                if !isPresent {
                    // Jobs that came before this row was there were announced to nobody.
                    isPresent = true
                    wake.signal()
                }
                await due.wait(atMost: interval)
            } catch {
                if Task.isCancelled { return }
                failures += 1
                logger.warning(
                    "The heartbeat failed; running jobs stop when their lease may run out.",
                    metadata: ["jobs": "\(running.count)", "error": "\(error)"]
                )
                let backoff = Backoff(base: .milliseconds(200), cap: .seconds(2))
                await due.wait(atMost: backoff.wait(retry: failures, atLeast: .milliseconds(100)))
            }
        }
    }

    private var interval: Duration {
        let regular = configuration.lease / 3
        return listens.load(ordering: .relaxed) || running.count == 0 ? regular : min(regular, .milliseconds(500))
    }

    private func beat() async throws {
        let entries = running.all
        let validUntil = ContinuousClock.now + configuration.trustedLease
        let rows = try await pool.query(
            .heartbeat(
                worker: WorkerPresence(
                    name: configuration.name,
                    slots: configuration.slots,
                    version: configuration.version,
                    isWakeable: isWakeable
                ),
                jobs: entries.map { ($0.job.id, $0.job.lease) },
                lease: configuration.lease
            )
        )
        let renewed = Set(try rows.map { JobID(try $0.decode("job_id")) })
        for entry in entries {
            if renewed.contains(entry.job.id) {
                entry.lease.extend(until: validUntil)
            } else {
                entry.lease.revoke()
            }
        }
    }
}
