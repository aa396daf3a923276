import JobQueue
import Logging
import Postgres
import Support

/// Delivers to one channel, one message after the other, so that a channel that hangs holds up no other.
struct ChannelLane: Sendable {
    let pool: PostgresPool
    let configuration: NotificationConfiguration
    let channel: any AlertChannel
    let sender: AlertSender
    let worker: String
    let stop: StopSignal
    let wake: Wakeup
    let logger: Logger
    private let numbers = LeaseNumbers()

    func run() async {
        AlertMetrics.declare(channel: channel.name)
        var failures = 0
        var isRegistered = false
        while !stop.isRequested, !Task.isCancelled {
            do {
                if !isRegistered { try await register() }
                isRegistered = true
                try await deliverDue()
                failures = 0
                await wake.wait(atMost: configuration.pollInterval * Double.random(in: 0.8...1.2))
            } catch {
                if Task.isCancelled { return }
                logger.warning("Delivering alerts failed; trying again.", metadata: metadata(["error": "\(error)"]))
                let backoff = Backoff(base: .milliseconds(500), cap: .seconds(30))
                await wake.wait(atMost: backoff.wait(retry: failures, atLeast: .milliseconds(100)))
                failures += 1
            }
        }
    }

    /// Makes the channel known and delivers what is due.
    func deliverOnce() async throws {
        try await register()
        try await deliverDue()
    }

    /// The address, as the tables know it.
    private var target: String { Fingerprint.of(channel.identity) }

    func register() async throws {
        try await pool.execute(.registerChannel(channel.name, target: target))
    }

    private func deliverDue() async throws {
        try await expand()
        while !stop.isRequested, !Task.isCancelled, let delivery = try await claim() {
            let outcome = await sender.send(delivery.message, to: channel)
            // Cut off by the end of the program: nothing is known, and another worker sends it with the same id.
            if Task.isCancelled { return }
            try await record(outcome, of: delivery)
        }
        try await holdBackExcess()
        try await failAllIfDisabled()
    }

    /// Makes deliveries of the notices that have none yet.
    func expand() async throws {
        for resolutions in [false, true] {
            try await pool.execute(
                .expandNotices(
                    to: channel.name,
                    target: target,
                    resolutions: resolutions,
                    tellsResolution: channel.tellsResolution
                )
            )
        }
    }

    func claim() async throws -> ClaimedDelivery? {
        let query = PostgresQuery.claimDelivery(
            of: channel.name,
            target: target,
            limit: configuration.channelLimit,
            worker: worker,
            number: try await numbers.take(1, from: pool).lowerBound,
            lease: configuration.lease
        )
        return try await pool.query(query).first.map { row in
            try ClaimedDelivery(row, channel: channel.name, source: configuration.source)
        }
    }

    // MARK: What came of it

    private func record(_ outcome: DeliveryOutcome, of delivery: ClaimedDelivery) async throws {
        switch outcome {
        case .delivered(let answer):
            try await write(.endDelivery(delivery, state: "delivered", error: nil))
            AlertMetrics.delivery(.delivered, channel: channel.name)
            logger.info("Alert delivered.", metadata: metadata(of: delivery, ["answer": "\(answer)"]))
        case .retry(let reason, let wait) where delivery.attempt < configuration.maximumAttempts:
            let wait = configuration.backoff.wait(retry: delivery.attempt - 1, atLeast: wait ?? .zero)
            try await write(.retryDelivery(delivery, after: wait, error: reason))
            AlertMetrics.delivery(.retried, channel: channel.name)
            logger.warning(
                "Alert not delivered yet; trying again.",
                metadata: metadata(of: delivery, ["reason": "\(reason)"])
            )
        case .retry(let reason, _), .refused(let reason):
            try await fail(delivery, reason)
        case .gone(let reason):
            try await fail(delivery, reason)
            try await disable(reason)
        }
    }

    private func fail(_ delivery: ClaimedDelivery, _ reason: String) async throws {
        try await write(.endDelivery(delivery, state: "failed", error: reason))
        AlertMetrics.delivery(.failed, channel: channel.name)
        logger.error("Alert not delivered.", metadata: metadata(of: delivery, ["reason": "\(reason)"]))
    }

    private func disable(_ reason: String) async throws {
        try await write(
            .disableChannel(channel.name, target: target, reason: reason)
        )
        logger.error(
            "The channel is off: its address is gone. Give it another, or mend it and run: syncctl alerts test \(channel.name)",
            metadata: metadata(["reason": "\(reason)"])
        )
    }

    private func holdBackExcess() async throws {
        let query = PostgresQuery.holdBackExcess(of: channel.name, limit: configuration.channelLimit)
        let held: Int = try await pool.query(query).first?.decode("held") ?? 0
        guard held > 0 else { return }
        AlertMetrics.delivery(.heldBack, channel: channel.name, count: held)
        logger.warning("Alerts held back: too many in a minute.", metadata: metadata(["alerts": "\(held)"]))
    }

    private func failAllIfDisabled() async throws {
        let failed = try await pool.query(.failDeliveriesOfDisabled(channel.name)).count
        guard failed > 0 else { return }
        AlertMetrics.delivery(.failed, channel: channel.name, count: failed)
        logger.error("Alerts not delivered: the channel is off.", metadata: metadata(["alerts": "\(failed)"]))
    }

    /// Records a result even while the worker stops. One that can't be recorded until the lease has run out is sent
    /// once more, with the same id.
    private func write(_ query: PostgresQuery) async throws {
        let deadline = ContinuousClock.now + configuration.lease
        var failures = 0
        while true {
            do {
                return try await uncancellable { _ = try await pool.execute(query) }
            } catch let error as PostgresError where error.isConnectionFailure || error.isRetryable {
                guard ContinuousClock.now < deadline, !Task.isCancelled else { throw error }
                let backoff = Backoff(base: .milliseconds(200), cap: .seconds(5))
                try await DeadlineQueue.shared.sleep(for: backoff.wait(retry: failures, atLeast: .milliseconds(50)))
                failures += 1
            }
        }
    }

    // MARK: Words

    private func metadata(_ more: Logger.Metadata) -> Logger.Metadata {
        more.merging(["channel": "\(channel.name)", "address": "\(channel.shownAddress)"]) { $1 }
    }

    private func metadata(of delivery: ClaimedDelivery, _ more: Logger.Metadata) -> Logger.Metadata {
        metadata(more).merging([
            "alert": "\(delivery.message.key)", "event": "\(delivery.message.event.rawValue)",
            "attempt": "\(delivery.attempt)", "id": "\(delivery.message.webhookID)",
        ]) { $1 }
    }
}
