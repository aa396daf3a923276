import Alerts
import ArgumentParser
import JobQueue

/// `syncctl alerts silence`.
struct AlertsSilenceCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "silence",
        abstract: "Hear nothing of a condition for a while.",
        discussion: """
            What happens meanwhile is counted, and told when the time is over if the condition still stands.

            Examples:
              syncctl alerts silence peer:notion_writer --for 2h
              syncctl alerts silence user_failing:anna@example.org --for 7d
            """
    )

    @Argument(help: "The key, as syncctl alerts list shows it.")
    var key: String
    @Option(
        name: .customLong("for"),
        parsing: .unconditional,
        help: "How long, e.g. 90s, 30m, 2h or 7d.",
        transform: Duration.argument
    )
    var duration: Duration
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl alerts list" }

    func run(_ session: DatabaseSession) async throws {
        guard let until = try await AlertRegister(pool: session.pool).silence(key, for: duration) else {
            throw SyncControlError(
                .notFound,
                "There has been no alert with the key \"\(key.singleLine)\". See: syncctl alerts list --all"
            )
        }
        try json.report(
            "Silenced until \(TimeText.full(until)).",
            as: ["key": .string(key), "silenced_until": .time(until)]
        )
    }
}
