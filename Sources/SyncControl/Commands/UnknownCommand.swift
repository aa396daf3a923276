import ArgumentParser

/// `syncctl unknown`.
struct UnknownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unknown",
        abstract: "List and settle writes to Notion that may or may not have happened.",
        discussion: """
            A request that was sent and never answered, or whose worker died, leaves such a write. With SYNC_UNKNOWN_CREATES=retry \
            a sync sends it again once another call of the writer has succeeded or, where there is no other, to find out whether the \
            writer is well: soon, if that is in doubt too six hours later, and at once when the note is edited or after unknown retry. With hold, or after SYNC_UNKNOWN_LIMIT such \
            outcomes, it waits for you: look at the page in Notion, then say what is true.

            Examples:
              syncctl unknown list
              syncctl unknown retry anna@example.org 1892f3…
              syncctl unknown settle anna@example.org 1892f3… --written \\
                --page 59833787-2cf9-4fdf-8782-e53db20768a5
              syncctl unknown settle anna@example.org 1892f3… --not-written
              syncctl unknown surplus
            """,
        subcommands: [
            UnknownListCommand.self, UnknownRetryCommand.self, UnknownSettleCommand.self, UnknownSurplusCommand.self,
        ]
    )
}
