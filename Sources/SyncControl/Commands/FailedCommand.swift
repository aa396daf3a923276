import ArgumentParser
import JobQueue
import NoteSync

/// `syncctl failed`.
struct FailedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failed",
        abstract: "List notes that could not be written, and let refused ones be sent again.",
        discussion: """
            Content that was refused for good is not sent again until it changes. Where it was the database or the Notion Writer \
            that had to be mended, say so with retry.

            Examples:
              syncctl failed list --user anna@example.org
              syncctl failed retry anna@example.org
              syncctl failed retry anna@example.org 1892f3…
            """,
        subcommands: [FailedListCommand.self, FailedRetryCommand.self]
    )
}

/// `syncctl failed list`.
struct FailedListCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the notes that could not be written, those that failed last first.",
        discussion: """
            Example:
              syncctl failed list --user anna@example.org
            """
    )

    @Option(help: "Only those of this user.", transform: UserID.argument)
    var user: UserID?
    @Option(parsing: .unconditional, help: "At most so many.")
    var limit = 100
    @OptionGroup var json: JSONOption

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be 1 or more.") }
    }

    func run(_ session: DatabaseSession) async throws {
        let notes = try await FailedNotes(pool: session.pool).list(user: user, limit: limit)
        if json.isWanted {
            try JSONValue.array(notes.map(Self.json)).print()
        } else if notes.isEmpty {
            StandardStream.error.note("No note is on the list of failed ones.")
        } else {
            try StandardStream.output.write(Self.table(notes).text(width: StandardStream.output.width))
        }
    }

    private static func json(_ note: FailedNote) -> JSONValue {
        [
            "user_id": .string(note.userID.rawValue), "keep_note_id": .string(note.noteID), "code": .string(note.code),
            "error": .string(note.error), "failures": .int(note.failures), "first_failed_at": .time(note.firstFailedAt),
            "last_failed_at": .time(note.lastFailedAt), "job_id": .string(note.jobID.description),
            "is_withheld": .bool(note.isWithheld),
        ]
    }

    private static func table(_ notes: [FailedNote]) -> TextTable {
        var table = TextTable([
            .init(title: "USER", minimumWidth: 12), .init(title: "NOTE"), .init(title: "WHY"),
            .init(title: "FAILED", alignment: .right), .init(title: "LAST"), .init(title: "NEXT"),
        ])
        for note in notes {
            table.add(
                note.userID.rawValue,
                note.noteID,
                note.code,
                "\(note.failures)",
                TimeText.full(note.lastFailedAt),
                note.isWithheld ? "not sent until it changes, or failed retry" : "asked for by the next sync",
                remark: note.error
            )
        }
        return table
    }
}

/// `syncctl failed retry`.
struct FailedRetryCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Let the user's next sync send refused notes again, though they have not changed.",
        discussion: """
            For when the database or the Notion Writer that refused them was mended. Edits that were left out because their page \
            was in the trash are sent again too.

            Examples:
              syncctl failed retry anna@example.org
              syncctl failed retry anna@example.org 1892f3…
            """
    )

    @Argument(help: "The user.", transform: UserID.argument)
    var user: UserID
    @Argument(help: "The note's id, as syncctl failed list shows it; left out: all of the user.")
    var note: String?

    func run(_ session: DatabaseSession) async throws {
        let count = try await FailedNotes(pool: session.pool).release(user: user, note: note)
        guard count > 0 else {
            throw SyncControlError(
                .notFound,
                "No refused note\(note.map { " \($0.singleLine)" } ?? "") of user \(user.rawValue.singleLine). See: syncctl failed list"
            )
        }
        try StandardStream.output.line(
            "\(Count.of(count, "note")): the next sync sends \(count == 1 ? "it" : "them") again. Start one with: "
                + user.shellCommand("syncctl enqueue").singleLine
        )
    }
}
