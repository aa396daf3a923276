import JobQueue
import Logging
import Postgres
import Support

/// Checks the conditions at intervals, one worker at a time, and keeps the open alerts in step with what is wrong.
struct ConditionEvaluator: Sendable {
    let pool: PostgresPool
    let configuration: NotificationConfiguration
    let checks: ConditionChecks
    let stop: StopSignal
    let wake: Wakeup
    let logger: Logger
    /// Called when there may be something to tell.
    let onChange: @Sendable () -> Void

    private static let pruneInterval = Duration.seconds(600)
    /// Rounds are one to one and a half intervals apart; between the first and the second that does not find a
    /// condition.
    private static let absentRounds = 1.8

    func run() async {
        while !stop.isRequested, !Task.isCancelled {
            do {
                if try await isOurTurn("conditions", configuration.checkInterval) { try await evaluate() }
                if try await isOurTurn("prune", Self.pruneInterval) { try await prune() }
            } catch {
                if Task.isCancelled { return }
                logger.warning("Checking for conditions failed; trying again.", metadata: ["error": "\(error)"])
            }
            // More often than a round is due, so that the round of a worker that died is soon taken up by another.
            await wake.wait(atMost: configuration.checkInterval / 2 * Double.random(in: 0.8...1.2))
        }
    }

    func isOurTurn(_ round: String, _ interval: Duration) async throws -> Bool {
        try await !pool.query(.takeRound(round, interval: interval)).isEmpty
    }

    func evaluate() async throws {
        let found = try await checks.run()
        if !found.isEmpty { try await pool.execute(.openConditions(found)) }
        // One that flickers stays one: it is over when two rounds have not found it.
        try await resolve(
            AlertKind.checked.filter { $0 != .schemaNotCurrent },
            after: configuration.checkInterval * Self.absentRounds
        )
        try await resolve(
            [.schemaNotCurrent],
            after: max(configuration.checkInterval * Self.absentRounds, Self.restartPause)
        )
        onChange()
    }

    /// What finds tables not current is mostly a worker that then ends, and is started again and again.
    private static let restartPause = Duration.seconds(600)

    private func resolve(_ kinds: [AlertKind], after settle: Duration) async throws {
        for row in try await pool.query(.resolveAbsent(kinds: kinds.map(\.rawValue), settle: settle)) {
            let key: String = try row.decode("key")
            logger.notice("Resolved.", metadata: ["alert": "\(key)"])
        }
    }

    func prune() async throws {
        try await pool.execute(.pruneAlerts(retention: configuration.retention))
        let stranded = try await pool.query(.failStrandedDeliveries())
        for row in stranded {
            let channel: String = try row.decode("channel")
            AlertMetrics.delivery(.failed, channel: channel)
            logger.error(
                "Alert not delivered: no worker has had its channel for a day.",
                metadata: ["channel": "\(channel)"]
            )
        }
    }
}
