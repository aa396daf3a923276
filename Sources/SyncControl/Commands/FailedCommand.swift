import ArgumentParser
import JobQueue
import NoteSync
import Support

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
    @OptionGroup var list: ListOptions

    func run(_ session: DatabaseSession) async throws {
        try await Self.print(of: user, list, session)
    }

    /// The list, which has another name too.
    static func print(of user: UserID?, _ list: ListOptions, _ session: DatabaseSession) async throws {
        let notes = try await FailedNotes(pool: session.pool).list(user: user, limit: list.readLimit)
        if notes.isEmpty, !list.json.isWanted { try await session.refuseUnlessKnown(user) }
        try list.print(
            notes,
            ifNone: "No note\(user.ofUser) is on the list of failed ones.",
            json: json,
            table: table
        )
    }

    static func json(_ note: FailedNote) -> JSONValue {
        [
            "user_id": .string(note.userID.rawValue), "keep_note_id": .string(note.noteID), "code": .string(note.code),
            "error": .string(note.error), "failures": .int(note.failures), "first_failed_at": .time(note.firstFailedAt),
            "last_failed_at": .time(note.lastFailedAt), "job_id": .string(note.jobID.description),
            "is_withheld": .bool(note.isWithheld), "has_open_write": .bool(note.hasOpenWrite),
            "is_write_retried": .bool(note.isWriteRetried),
        ]
    }

    private static func table(_ notes: [FailedNote]) -> TextTable {
        var table = TextTable([
            .init(title: "USER"), .init(title: "NOTE"), .init(title: "WHY"),
            .init(title: "FAILED", alignment: .right), .init(title: "LAST"), .init(title: "NEXT"),
        ])
        for note in notes {
            table.add(
                ShellWord.shown(note.userID.rawValue),
                ShellWord.shown(note.noteID),
                note.reason.why,
                "\(note.failures)",
                TimeText.full(note.lastFailedAt),
                note.reason.next,
                remark: note.remark
            )
        }
        return table
    }
}

extension FailedNote {
    /// What was recorded, unless that says to settle a write which an operator has seen to since.
    var remark: String {
        if isSettled { return "Its write of unknown outcome has been settled." }
        if waitsForWrite, isWriteRetried { return "An operator has had its write of unknown outcome sent again." }
        return error
    }

    /// The code in words, and what becomes of the note by itself.
    var reason: (why: String, next: String) {
        let asked = "asked for by the next sync"
        let withheld = "not sent until it changes"
        return switch code {
        case _ where isSettled: ("not written yet", asked)
        case _ where waitsForWrite && isWriteRetried:
            ("not written yet", "sent again by a next sync\(UnknownWrite.Next.retryCondition)")
        case "rejected": ("refused by Notion", isWithheld ? "\(withheld), or failed retry" : asked)
        case "deferred": ("page in the trash", isWithheld ? "\(withheld), a full sync, or failed retry" : asked)
        case "held": ("held for you", "see syncctl unknown list")
        case "unknownCreate": ("create unknown", "see syncctl unknown list")
        case "unknownUpdate": ("update unknown", "see syncctl unknown list")
        case "superseded": ("text on a surplus page", asked)
        case "unusableNote": ("unusable note", asked)
        case "peerFailed": ("writer failed", asked)
        default: (code, asked)
        }
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
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "syncctl failed list" }

    func run(_ session: DatabaseSession) async throws {
        let notes = FailedNotes(pool: session.pool)
        let released = try await notes.release(user: user, note: note)
        let listed = try await notes.count(user: user, note: note)
        guard listed.all > 0 else {
            throw SyncControlError(
                .notFound,
                "\(note.map { "Note \($0.singleLine)" } ?? "No note") of user \(user.rawValue.singleLine) is \(note == nil ? "" : "not ")on "
                    + "the list of failed ones. See: syncctl failed list"
            )
        }
        guard released > 0 || listed.waiting < listed.all else {
            throw SyncControlError(.refused, waiting(listed.waiting))
        }
        let others = listed.all - listed.waiting
        let text =
            released > 0
            ? "\(Count.of(released, "note")): the next sync sends \(released == 1 ? "it" : "them") again."
            : "Already asked for: the next sync sends \(Count.of(others, "note")) again."
        try json.report(
            "\(text) Start one with: \(user.shellCommand("syncctl enqueue"))",
            as: [
                "user_id": .string(user.rawValue), "released": .int(released), "sent_again": .int(others),
                "waiting": .int(listed.waiting),
            ]
        )
        if listed.waiting > 0 { StandardStream.error.note(waiting(listed.waiting)) }
    }

    /// Notes that this command does not send.
    private func waiting(_ count: Int) -> String {
        let verb = count == 1 ? "has" : "have"
        return
            "\(Count.of(count, "note")) \(verb) an earlier write whose outcome decides what comes next; this command does not send "
            + "\(count == 1 ? "it" : "them"). See: \(user.shellCommand(withOption: "syncctl unknown list"))"
    }
}
