public import CurlHTTP
import Foundation
import JobQueue
public import Logging
public import Postgres
import Support

/// Tells people that the tables are not those a worker needs, from the worker that finds it and then ends.
///
/// Where the tables of alerts are already there it goes the way of every alert. Where they are not it is sent straight
/// to the channels, one try each; a supervisor starts such a worker again and again, so a file remembers that it was
/// sent.
public struct SchemaAlert: Sendable {
    private let configuration: NotificationConfiguration
    private let http: HTTPClientConfiguration
    private let worker: String
    private let marker: URL?
    private let logger: Logger

    /// - Parameter folder: for the file; nil: there is none, and each start is told.
    public init(
        configuration: NotificationConfiguration,
        http: HTTPClientConfiguration,
        worker: String,
        folder: String?,
        logger: Logger
    ) {
        self.configuration = configuration
        self.http = http
        self.worker = worker
        marker = folder.map { URL(filePath: $0).appending(path: "schema-alert-sent") }
        self.logger = logger
    }

    /// Tells of the fault, unless that was done lately.
    public func send(fault: String, pool: PostgresPool) async {
        guard isWanted else { return }
        let sender = AlertSender(configuration: configuration, http: http)
        defer { sender.shutdown() }
        do {
            try await sendByTables(fault, pool, sender)
        } catch {
            logger.debug("The tables of alerts can't be used.", metadata: ["error": "\(error)"])
            guard isNews() else { return }
            await sendStraight(message(.trigger, fault), sender)
            remember()
        }
    }

    /// Tells that it is over, where it was told without tables; the checks tell of the rest.
    public func resolve() async {
        guard isWanted, let marker, FileManager.default.fileExists(atPath: marker.path) else { return }
        do {
            // Before it is told: of several workers that start at once one can remove it.
            try FileManager.default.removeItem(at: marker)
        } catch {
            logger.debug("Another worker tells that the database is up to date.", metadata: ["error": "\(error)"])
            return
        }
        let sender = AlertSender(configuration: configuration, http: http)
        defer { sender.shutdown() }
        await sendStraight(message(.resolve, nil), sender)
    }

    private var isWanted: Bool {
        configuration.isEnabled && !configuration.channels.isEmpty
            && !configuration.kindsOff.contains(.schemaNotCurrent)
    }

    // MARK: By the tables

    private func sendByTables(_ fault: String, _ pool: PostgresPool, _ sender: AlertSender) async throws {
        try await pool.execute(.openConditions([.fault(.schemaNotCurrent, fault)]))
        _ = try await pool.query(.raiseNotices(groupWait: .zero, repeatWindow: configuration.repeatWindow))
        try await withThrowingDiscardingTaskGroup { tasks in
            for channel in ChannelList.make(configuration.channels) {
                let lane = ChannelLane(
                    pool: pool,
                    configuration: configuration,
                    channel: channel,
                    sender: sender,
                    worker: worker,
                    stop: StopSignal(),
                    wake: Wakeup(),
                    logger: logger
                )
                tasks.addTask { try await lane.deliverOnce() }
            }
        }
    }

    // MARK: Without them

    private func sendStraight(_ message: AlertMessage, _ sender: AlertSender) async {
        await withDiscardingTaskGroup { tasks in
            for channel in ChannelList.make(configuration.channels)
            where message.event == .trigger || channel.tellsResolution {
                tasks.addTask {
                    let outcome = await sender.send(message, to: channel)
                    log(outcome, channel)
                }
            }
        }
    }

    private func message(_ event: AlertMessage.Event, _ fault: String?) -> AlertMessage {
        AlertMessage(
            id: .random(),
            event: event,
            kind: .schemaNotCurrent,
            key: AlertKind.schemaNotCurrent.rawValue,
            count: 1,
            error: fault,
            firstAt: Date(),
            lastAt: Date(),
            source: configuration.source
        )
    }

    private func isNews() -> Bool {
        // A file that is not there is an alert that was not sent.
        guard let marker, let values = try? marker.resourceValues(forKeys: [.contentModificationDateKey]),
            let last = values.contentModificationDate
        else { return true }
        return Date().timeIntervalSince(last) >= configuration.repeatWindow.seconds
    }

    private func remember() {
        guard let marker else { return }
        do {
            try FileManager.default.createDirectory(
                at: marker.deletingLastPathComponent(),
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            try Data().write(to: marker)
        } catch {
            logger.warning(
                "Every start sends this alert again, as the file that says it was sent can't be written.",
                metadata: ["file": "\(marker.path)", "error": "\(error)"]
            )
        }
    }

    private func log(_ outcome: DeliveryOutcome, _ channel: any AlertChannel) {
        var metadata: Logger.Metadata = ["channel": "\(channel.name)", "address": "\(channel.shownAddress)"]
        switch outcome {
        case .delivered:
            logger.notice("People were told of the state of the database.", metadata: metadata)
        case .retry(let reason, _), .refused(let reason), .gone(let reason):
            metadata["reason"] = "\(reason)"
            logger.error("Alert not delivered.", metadata: metadata)
        }
    }
}
