import ArgumentParser
import Settings

/// `syncctl alerts`.
struct AlertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts",
        abstract: "See what people were told of, try a channel, silence a condition.",
        discussion: """
            Examples:
              syncctl alerts list
              syncctl alerts test slack
              syncctl alerts silence peer:notion_writer --for 2h
            """,
        subcommands: [AlertsListCommand.self, AlertsTestCommand.self, AlertsSilenceCommand.self]
    )
}
