import JobQueue
import Logging
import Postgres
import Support

/// Counts what has happened into alerts, and makes notices of those that are to be told.
///
/// Runs in every worker, also where alerts are off, so that the outbox never grows.
struct AlertGatherer: Sendable {
    let pool: PostgresPool
    let configuration: NotificationConfiguration
    let stop: StopSignal
    let wake: Wakeup
    let logger: Logger
    /// Called when there is something to deliver.
    let onNotice: @Sendable () -> Void

    private static let batch = 2000

    func run() async {
        var failures = 0
        while !stop.isRequested, !Task.isCancelled {
            do {
                let taken = try await gather()
                failures = 0
                if taken == Self.batch { continue }
                await wake.wait(atMost: taken == nil ? pause * 2 : pause)
            } catch {
                if Task.isCancelled { return }
                logger.warning("Gathering alerts failed; trying again.", metadata: ["error": "\(error)"])
                let backoff = Backoff(base: .milliseconds(500), cap: .seconds(30))
                await wake.wait(atMost: backoff.wait(retry: failures, atLeast: .milliseconds(100)))
                failures += 1
            }
        }
    }

    private var pause: Duration {
        configuration.pollInterval * Double.random(in: 0.8...1.2)
    }

    /// One look.
    ///
    /// - Returns: events taken; nil if nothing is open at all, which is how it is nearly always.
    func gather() async throws -> Int? {
        guard try await pool.query(.isAnythingOpen()).first?.decode("is_open") ?? true else { return nil }
        let query = PostgresQuery.gatherEvents(limit: Self.batch, kindsOff: configuration.kindsOff.map(\.rawValue))
        let taken: Int = try await pool.query(query).first?.decode("taken") ?? 0
        let told = try await pool.query(
            .raiseNotices(groupWait: configuration.groupWait, repeatWindow: configuration.repeatWindow)
        )
        for row in told {
            let key: String = try row.decode("key")
            let event: String = try row.decode("event")
            let count: Int = try row.decode("count")
            logger.notice("Alert.", metadata: ["alert": "\(key)", "event": "\(event)", "count": "\(count)"])
        }
        try await pool.execute(
            .resolveQuiet(kinds: AlertKind.counted.map(\.rawValue), window: configuration.repeatWindow)
        )
        if !told.isEmpty { onNotice() }
        return taken
    }
}
