import JobQueue
import Logging
import Metrics
import Postgres
import ServiceLifecycle
import Support
import Telemetry

/// Adds what this worker counts to the table where all workers' counts stand and the sidecar reads them: so the worker
/// opens no port, several workers add up by themselves, and nothing starts from zero when one of them does.
///
/// What can't be added is kept for the next time. After an answer that was lost with its connection it may be added
/// twice; counts for people may be that much off.
struct MetricsKeeper: Service {
    let accumulator: MetricsAccumulator
    let pool: PostgresPool
    let claims: ClaimHold
    let worker: String
    let logger: Logger

    private static let interval = Duration.seconds(10)
    /// How long what has not changed is not written again. Readers take a worker for gone whose states are a minute
    /// old.
    private static let longestInterval = Duration.seconds(30)

    /// What was last written, and when.
    private struct Written {
        var samples: Set<MetricSample> = []
        var at: ContinuousClock.Instant?
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var written = Written()
            while !Task.isCancelled {
                await add(&written)
                // Cancellation ends the loop.
                try? await DeadlineQueue.shared.sleep(for: Self.interval)
            }
        }
        var written = Written()
        await add(&written)
        await forget()
    }

    private func add(_ written: inout Written) async {
        observe()
        let samples = accumulator.take()
        // Counts are there only when something was counted; gauges stay as they are while nothing is done.
        let isNew = Set(samples) != written.samples || samples.contains { !$0.part.isGauge }
        guard isNew || written.at.map({ ContinuousClock.now - $0 >= Self.longestInterval }) ?? true else { return }
        do {
            try await uncancellable { _ = try await pool.execute(.keep(samples, worker: worker)) }
            written = Written(samples: Set(samples), at: .now)
        } catch {
            accumulator.putBack(samples)
            logger.info("Metrics can't be kept now; they are added later.", metadata: ["error": "\(error)"])
        }
    }

    private func observe() {
        let statistics = pool.statistics
        for (state, count) in [("in_use", statistics.inUse), ("idle", statistics.idle)] {
            Gauge(label: "sync_worker_database_connections", dimensions: [("state", state)]).record(count)
        }
        Gauge(label: "sync_worker_database_waiting").record(statistics.waiting)
        Gauge(label: "sync_worker_claims_held").record(claims.isHeld ? 1 : 0)
    }

    private func forget() async {
        do {
            try await uncancellable { _ = try await pool.execute(.forgetGauges(of: worker)) }
        } catch {
            logger.debug("The worker's gauges stay for an hour.", metadata: ["error": "\(error)"])
        }
    }
}
