import ArgumentParser
import JobQueue
import NoteSync

/// `syncctl unknown retry`.
struct UnknownRetryCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Let the user's next sync send a write again.",
        discussion: """
            A create is sent with the same Idempotency-Key. With a Notion Writer that does not know that header, a page that was \
            made after all is then there twice.

            Example:
              syncctl unknown retry anna@example.org 1892f3…
            """
    )

    @OptionGroup var write: UnknownWriteArguments

    func run(_ session: DatabaseSession) async throws {
        guard try await UnknownWrites(pool: session.pool).retry(user: write.user, note: write.note) else {
            throw write.notFound
        }
        try StandardStream.output.line("The next sync of \(write.user.rawValue.singleLine) sends it again.")
    }
}

/// Which write is meant.
struct UnknownWriteArguments: ParsableArguments {
    @Argument(help: "The user.", transform: UserID.argument)
    var user: UserID
    @Argument(help: "The note's id, as syncctl unknown list shows it.")
    var note: String

    var notFound: SyncControlError {
        SyncControlError(
            .notFound,
            "No unknown write of note \(note.singleLine) of user \(user.rawValue.singleLine). See: syncctl unknown list"
        )
    }
}
