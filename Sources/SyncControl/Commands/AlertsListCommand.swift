import Alerts
import ArgumentParser
import Foundation
import Support

/// `syncctl alerts list`.
struct AlertsListCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List open alerts, messages that never arrived, and channels that are off.",
        discussion: """
            Examples:
              syncctl alerts list
              syncctl alerts list --all --json
            """
    )

    @Flag(help: "Also alerts that are over.")
    var all = false
    @OptionGroup var list: ListOptions

    func run(_ session: DatabaseSession) async throws {
        let register = AlertRegister(pool: session.pool)
        let found = try await register.alerts(includesResolved: all, limit: list.readLimit)
        let alerts = Array(found.prefix(list.limit))
        if found.count > list.limit { list.tellOfMore() }
        let failed = try await register.failedDeliveries()
        let disabled = try await register.disabledChannels()
        let hasChannel = try await register.hasChannel()
        if list.json.isWanted { return try Self.json(alerts, failed, disabled, hasChannel).print() }
        if alerts.isEmpty {
            StandardStream.error.note(all ? "There has been no alert." : "There is no open alert.")
        } else {
            try StandardStream.output.write(Self.table(alerts, hasChannel).text(on: .output))
        }
        let isNobodyTold = alerts.contains { $0.resolvedAt == nil && $0.telling == .nobody && $0.silencedUntil == nil }
        if !hasChannel {
            StandardStream.error.note(
                "Nothing is sent: the workers have no channel that is on, or not ENABLE_NOTIFICATIONS=true."
            )
        } else if isNobodyTold {
            StandardStream.error.note(
                "Nobody was told of some: no worker runs that has a channel and ENABLE_NOTIFICATIONS=true. See: syncctl workers"
            )
        }
        if !failed.isEmpty {
            let table = Self.table(failed).text(on: .output)
            try StandardStream.output.write("\nNot delivered in the last week:\n" + table)
        }
        for channel in disabled {
            let since = TimeText.full(channel.since)
            let text = "Channel \(channel.name) is off since \(since): \(channel.reason.singleLine.withoutFullStop)."
            try StandardStream.output.paragraph("\n\(text) Fix it, then run: syncctl alerts test \(channel.name)")
        }
    }

    // MARK: For people

    private static func table(_ alerts: [AlertRecord], _ hasChannel: Bool) -> TextTable {
        var table = TextTable([
            .init(title: "KEY"), .init(title: "SEVERITY"), .init(title: "COUNT", alignment: .right),
            .init(title: "SINCE"), .init(title: "LAST"), .init(title: "TOLD", minimumWidth: 8),
        ])
        for alert in alerts {
            table.add(
                alert.key,
                alert.severity.rawValue,
                "\(alert.count)",
                TimeText.full(alert.firstAt),
                TimeText.short(alert.lastAt, near: alert.firstAt),
                told(alert, hasChannel),
                remark: remark(alert),
                alert.advice
            )
        }
        return table
    }

    private static func told(_ alert: AlertRecord, _ hasChannel: Bool) -> String {
        if let over = alert.resolvedAt { return "over since \(TimeText.short(over, near: alert.firstAt))" }
        if let until = alert.silencedUntil { return "silenced until \(TimeText.full(until))" }
        return switch alert.telling {
        case .told: alert.deliveredAt.map { TimeText.short($0, near: alert.firstAt) } ?? ""
        case .waiting: "not yet"
        case .failed: "nobody (not delivered)"
        case .nobody: hasChannel ? "nobody" : "nobody (no channel is on)"
        }
    }

    private static func remark(_ alert: AlertRecord) -> String? {
        let users = alert.users.isEmpty ? alert.userID.map { [$0] } ?? [] : alert.users
        let names = users.prefix(5).joined(separator: ", ") + (users.count > 5 ? " and others" : "")
        let parts = [names, alert.error ?? ""].filter { !$0.isEmpty }
        return parts.isEmpty ? nil : parts.joined(separator: ": ")
    }

    private static func table(_ deliveries: [FailedDelivery]) -> TextTable {
        var table = TextTable([
            .init(title: "CHANNEL"), .init(title: "MESSAGE"), .init(title: "KEY"),
            .init(title: "TRIES", alignment: .right), .init(title: "GIVEN UP"),
        ])
        for delivery in deliveries {
            table.add(
                delivery.channel,
                delivery.event,
                delivery.key ?? "-",
                "\(delivery.attempts)",
                TimeText.full(delivery.failedAt),
                remark: delivery.reason
            )
        }
        return table
    }

    // MARK: For programs

    private static func json(
        _ alerts: [AlertRecord],
        _ failed: [FailedDelivery],
        _ disabled: [DisabledChannel],
        _ hasChannel: Bool
    ) -> JSONValue {
        [
            "has_channel": .bool(hasChannel),
            "alerts": .array(alerts.map(json)), "failed_deliveries": .array(failed.map(json)),
            "disabled_channels": .array(
                disabled.map { channel in
                    [
                        "channel": .string(channel.name), "since": .time(channel.since),
                        "reason": .string(channel.reason),
                    ]
                }
            ),
        ]
    }

    private static func json(_ alert: AlertRecord) -> JSONValue {
        [
            "key": .string(alert.key), "kind": .string(alert.kind), "severity": .string(alert.severity.rawValue),
            "count": .int(alert.count), "job_id": .string(alert.jobID?.uuidString.lowercased()),
            "user_id": .string(alert.userID), "users": .array(alert.users.map { .string($0) }),
            "error": .string(alert.error), "advice": .string(alert.advice), "first_at": .time(alert.firstAt),
            "last_at": .time(alert.lastAt),
            "notified_at": .time(alert.notifiedAt), "delivered_at": .time(alert.deliveredAt),
            "resolved_at": .time(alert.resolvedAt),
            "silenced_until": .time(alert.silencedUntil),
        ]
    }

    private static func json(_ delivery: FailedDelivery) -> JSONValue {
        [
            "channel": .string(delivery.channel), "event": .string(delivery.event), "key": .string(delivery.key),
            "attempts": .int(delivery.attempts), "failed_at": .time(delivery.failedAt),
            "reason": .string(delivery.reason),
        ]
    }
}
