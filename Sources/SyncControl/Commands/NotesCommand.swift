import ArgumentParser
import JobQueue
import NoteSync
import Settings

/// `syncctl notes`.
struct NotesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notes",
        abstract: "List the notes that fail, or show what is on record of one.",
        discussion: """
            No text of a note is on record, and none is shown.

            Examples:
              syncctl notes failing --user anna@example.org
              syncctl notes show anna@example.org 1892f3a4b5c.6d7e8f90
            """,
        subcommands: [NotesFailingCommand.self, NotesShowCommand.self]
    )
}

/// `syncctl notes failing`.
struct NotesFailingCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "failing",
        abstract: "List the notes that could not be written, those that failed last first.",
        discussion: """
            The same list as that of syncctl failed list; syncctl failed retry has refused ones sent again.

            Example:
              syncctl notes failing --user anna@example.org
            """
    )

    @Option(help: "Only those of this user.", transform: UserID.argument)
    var user: UserID?
    @OptionGroup var list: ListOptions

    func run(_ session: DatabaseSession) async throws {
        try await FailedListCommand.print(of: user, list, session)
    }
}

/// `syncctl notes show`.
struct NotesShowCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show the life of one note: its page, writes, failures, and what comes next.",
        discussion: """
            What has happened is listed with its time, the newest last: what the tables have of the note, and the lines about it in \
            the logs of the user's newest jobs.

            Example:
              syncctl notes show anna@example.org 1892f3a4b5c.6d7e8f90
            """
    )

    @Argument(help: "The user.", transform: UserID.argument)
    var user: UserID
    @Argument(help: "The note's id, as syncctl notes failing shows it.")
    var note: String
    @OptionGroup var json: JSONOption

    func run(_ session: DatabaseSession) async throws {
        let life = try await NoteLife(of: note, user: user, pool: session.pool)
        if life.isEmpty {
            try await session.refuseUnlessKnown(user)
            throw SyncControlError(
                .notFound,
                "Nothing is on record of note \(note.singleLine) of user \(user.rawValue.singleLine): it was never written, and no write "
                    + "of it failed. Notes that fail are listed by: \(user.shellCommand(withOption: "syncctl notes failing"))"
            )
        }
        let settings = try UnknownWriteSettings.load()
        let unknown = try await UnknownWrites(pool: session.pool).list(
            user: user,
            policy: settings.policy == .hold ? .hold : .retry,
            limit: settings.limit
        ).first { $0.noteID == note }
        let account = NoteAccount(
            user: user,
            note: note,
            life: life,
            unknown: unknown,
            now: try await session.jobs.databaseTime()
        )
        if json.isWanted {
            try account.json.print()
        } else {
            try StandardStream.output.write(account.text(on: .output))
        }
    }
}
