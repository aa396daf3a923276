import ArgumentParser
import Foundation
import JobQueue
import NoteSync
import Support

/// `syncctl unknown retry`.
struct UnknownRetryCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Let a next sync of the user send a write again.",
        discussion: """
            It is sent once another call of the Notion Writer has succeeded after it, or, where there is no other, to find out whether \
            the writer is well. \
            A create is sent with the same Idempotency-Key. With a Notion Writer that does not know that header, a page that was \
            made after all is then there twice, and each retry may make one more.

            Example:
              syncctl unknown retry anna@example.org 1892f3…
            """
    )

    @OptionGroup var write: UnknownWriteArguments
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl unknown list" }

    func run(_ session: DatabaseSession) async throws {
        let writes = UnknownWrites(pool: session.pool)
        guard let pages = try await writes.retry(user: write.user, note: write.note) else {
            throw try await write.refusal(writes, to: "retry")
        }
        try json.report(
            "It is sent again by a next sync of \(write.user.rawValue.singleLine)\(UnknownWrite.Next.retryCondition).",
            as: [
                "user_id": .string(write.user.rawValue), "keep_note_id": .string(write.note), "next": "sent_again",
                "pages_there_may_be": .int(pages),
            ]
        )
        if pages > 0 { StandardStream.error.note(Self.warning(pages)) }
    }

    /// - Parameter pages: that there may be already, one for each request.
    private static func warning(_ pages: Int) -> String {
        "There may be up to \(Count.of(pages, "page")) of the note already, one for each request whose outcome is unknown, and each "
            + "retry may make one more, unless the Notion Writer knows Idempotency-Key. To look first: syncctl unknown list"
    }
}

/// Which write is meant.
struct UnknownWriteArguments: ParsableArguments {
    @Argument(help: "The user.", transform: UserID.argument)
    var user: UserID
    @Argument(help: "The note's id, as syncctl unknown list shows it.")
    var note: String

    /// Why nothing was done.
    ///
    /// - Parameter verb: what was to be done.
    func refusal(_ writes: UnknownWrites, to verb: String) async throws -> SyncControlError {
        if let until = try await writes.openUntil(user: user, note: note) {
            let time = TimeText.short(until, near: Date())
            return SyncControlError(.refused, "This write is under way until \(time) UTC; \(verb) it after that.")
        }
        return SyncControlError(
            .notFound,
            "No unknown write of note \(note.singleLine) of user \(user.rawValue.singleLine). See: syncctl unknown list"
        )
    }
}
