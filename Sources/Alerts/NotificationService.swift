public import CurlHTTP
import JobQueue
public import Logging
public import Postgres
public import ServiceLifecycle
import Support

/// Tells people, on every channel, what is wrong with the service, once and with what to do.
///
/// Where alerts are off, or there is no channel, they are found and listed all the same; nothing is sent.
///
/// What happens is written to the database in the transaction that makes it so; any number of workers run this service
/// and share the work. A message that was sent and whose answer was lost is sent again, with the same id.
public final class NotificationService: Service {
    private let configuration: NotificationConfiguration
    private let stop = StopSignal()
    private let sender: AlertSender?
    private let gatherer: AlertGatherer
    private let evaluator: ConditionEvaluator
    private let lanes: [ChannelLane]
    private let logger: Logger
    private let wakeups: [Wakeup]

    /// - Parameters:
    ///   - pool: wants a connection for each channel and two more, all for moments.
    ///   - peers: asks the peers for their health.
    ///   - http: identity and trust of the clients that send.
    ///   - worker: name of this worker.
    ///   - schemaFault: says why the database's tables are not current; nil if they are.
    ///   - keyFault: says that the installation key is missing; nil if it is not.
    public init(
        configuration: NotificationConfiguration,
        pool: PostgresPool,
        peers: HTTPClient,
        http: HTTPClientConfiguration,
        worker: String,
        logger: Logger,
        schemaFault: @escaping @Sendable () async throws -> String? = { nil },
        keyFault: @escaping @Sendable () async throws -> String? = { nil }
    ) {
        let stop = stop
        let channels = configuration.isEnabled ? ChannelList.make(configuration.channels) : []
        // Without channels no thread waits for something to send.
        let sender = channels.isEmpty ? nil : AlertSender(configuration: configuration, http: http)
        let lanes = channels.compactMap { channel in
            sender.map { sender in
                ChannelLane(
                    pool: pool,
                    configuration: configuration,
                    channel: channel,
                    sender: sender,
                    worker: worker,
                    stop: stop,
                    wake: Wakeup(),
                    logger: logger
                )
            }
        }
        let laneWakeups = lanes.map(\.wake)
        let gatherer = AlertGatherer(
            pool: pool,
            configuration: configuration,
            stop: stop,
            wake: Wakeup(),
            logger: logger,
            onNotice: { for wake in laneWakeups { wake.signal() } }
        )
        let gather = gatherer.wake
        let evaluator = ConditionEvaluator(
            pool: pool,
            configuration: configuration,
            checks: ConditionChecks(
                pool: pool,
                rules: configuration.rules,
                kindsOff: configuration.kindsOff,
                probe: PeerProbe(http: peers),
                schemaFault: schemaFault,
                keyFault: keyFault
            ),
            stop: stop,
            wake: Wakeup(),
            logger: logger,
            onChange: { for wake in [gather] + laneWakeups { wake.signal() } }
        )
        self.configuration = configuration
        self.sender = sender
        self.lanes = lanes
        self.gatherer = gatherer
        self.evaluator = evaluator
        self.logger = logger
        wakeups = laneWakeups + [gather, evaluator.wake]
        if configuration.isEnabled, channels.isEmpty {
            logger.warning("Alerts are enabled, but there is no channel to send them to.")
        }
    }

    /// Says that a job has just failed, so that it is looked at now and not at the next poll.
    public func jobFailed() {
        gatherer.wake.signal()
    }

    /// Whether a message is on its way.
    public var isSending: Bool { sender?.isSending ?? false }

    /// Runs until a graceful shutdown, which lets messages under way arrive, or until cancelled.
    public func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { tasks in
                tasks.addTask { await self.gatherer.run() }
                tasks.addTask { await self.evaluator.run() }
                for lane in lanes { tasks.addTask { await lane.run() } }
            }
        } onGracefulShutdown: {
            self.stop.request()
            for wake in self.wakeups { wake.signal() }
        }
        sender?.shutdown()
    }
}
