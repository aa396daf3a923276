import Alerts
import ArgumentParser
import CurlHTTP
import Foundation
import Logging
import Postgres
import Settings
import Telemetry

/// `syncctl alerts test`.
struct AlertsTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Send a test message on a channel and say what came back.",
        discussion: """
            The channels are those whose variables are set here: webhook, slack, pagerduty, sns, email; the second of a kind is \
            called slack-2 and so on. A channel that was off because its address was gone is switched on again if the message \
            arrives; that needs the database, the test itself does not.

            Example:
              syncctl alerts test slack

            Environment variables:

            \(SettingsTable.text(groups: [.alerts]))
            """
    )

    @Argument(help: "The channel.")
    var channel: String
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await Failure.reported {
            let (alerts, peers, database) = try SettingsReader.read { reader in
                (AlertSettings(reading: &reader), PeerSettings(reading: &reader), DatabaseSettings(reading: &reader))
            }
            LoggingBootstrap.bootstrap(format: .human, level: .error, output: .standardError)
            let trial = ChannelTrial(
                configuration: NotificationConfiguration(alerts),
                http: HTTPClientConfiguration(
                    userAgent: "sync-service/\(ServiceVersion.current)",
                    certificateAuthorityFile: peers.certificateFile
                )
            )
            guard let answer = await trial.send(to: channel) else { throw unknown(trial.names) }
            guard answer.isDelivered else {
                throw SyncControlError(
                    .refused,
                    "The message to \(channel) (\(answer.address)) was not taken: \(answer.text)"
                )
            }
            let wasOff = await enable(database)
            try json.report(
                "Sent to \(channel) (\(answer.address)), which answered: \(answer.text)"
                    + (wasOff == true ? "\nThe channel was off and is on again." : ""),
                as: [
                    "channel": .string(channel), "address": .string(answer.address), "answer": .string(answer.text),
                    "was_off": wasOff.map(JSONValue.bool) ?? .null,
                ]
            )
            if !alerts.isEnabled {
                StandardStream.error.note("Workers send nothing until ENABLE_NOTIFICATIONS=true.")
            }
        }
    }

    private func unknown(_ names: [String]) -> SyncControlError {
        let known =
            names.isEmpty
            ? "None is set up; syncctl alerts test --help lists the variables."
            : "There are: \(names.joined(separator: ", "))."
        return SyncControlError(.notFound, "There is no channel \"\(channel.singleLine)\". \(known)")
    }

    /// Switches the channel on again if it was off.
    ///
    /// - Returns: whether it was off; nil: the database does not tell.
    private func enable(_ database: DatabaseSettings) async -> Bool? {
        let logger = Logger(label: "syncctl") { _ in SwiftLogNoOpLogHandler() }
        let pool = PostgresPool(
            configuration: PostgresConfiguration(
                connectionString: database.connectionString.value,
                applicationName: "syncctl",
                requiresWriting: true
            ),
            size: 1,
            logger: logger
        )
        var wasOff: Bool?
        do {
            wasOff = try await AlertRegister(pool: pool).enable(channel: channel)
        } catch {
            let message = Failure(error).message
            StandardStream.error.note("Whether the channel was off is not known: \(message)")
        }
        await pool.shutdown()
        return wasOff
    }
}
