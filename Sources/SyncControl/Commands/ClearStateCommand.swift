import ArgumentParser
import JobQueue
import NoteSync
import Support

/// `syncctl clear-state`.
struct ClearStateCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear-state",
        abstract: "Forget a user's pages, so that the next sync creates every one anew.",
        discussion: """
            Pages that are in Notion stay there: without deleting them first, every note will be there twice.

            Example:
              syncctl clear-state anna@example.org --yes
            """
    )

    @Argument(help: "The user.", transform: UserID.argument)
    var user: UserID
    @Flag(name: .customLong("yes"), help: "Do not ask; needed where nobody can answer.")
    var isConfirmed = false
    @OptionGroup var json: JSONOption

    var outcomeCheck: String? { "run it again, it says what was left" }

    func run(_ session: DatabaseSession) async throws {
        try confirm()
        let cleared = try await SyncStateStore(pool: session.pool).clear(user)
        guard cleared.pages + cleared.failures > 0 || cleared.hadCursor else {
            let stays = Self.stays(cleared).map { " \($0)" } ?? ""
            throw SyncControlError(.notFound, "No page of user \(user) is remembered; nothing was changed.\(stays)")
        }
        let words =
            "Forgot \(Count.of(cleared.pages, "page")) and \(Count.of(cleared.failures, "failed note")) of "
            + "\(user.rawValue.singleLine). The next sync fetches all notes and creates every page anew."
        if json.isWanted {
            try Self.json(cleared).report(inWords: words)
        } else {
            try StandardStream.report(words)
        }
        if let stays = Self.stays(cleared) { StandardStream.error.note(stays) }
        if try await !session.jobs.jobs(user: user, status: .running, limit: 1).isEmpty {
            StandardStream.error.note(
                "A job of this user is running: the pages it has still to write are remembered again."
            )
        }
    }

    private func confirm() throws {
        if isConfirmed { return }
        guard let terminal = Terminal() else {
            throw SyncControlError(
                .usage,
                "This makes the next sync create every page anew. If that is wanted, add --yes."
            )
        }
        let question =
            "Forget all pages of \(user.rawValue.singleLine)? The next sync will create every page anew; those in Notion stay."
        guard try terminal.confirms(question) else {
            throw SyncControlError(.refused, "Nothing was changed.")
        }
    }

    /// What is not forgotten; nil if nothing stays.
    private static func stays(_ cleared: SyncStateStore.Cleared) -> String? {
        var parts: [String] = []
        if cleared.openWrites > 0 {
            parts.append("\(Count.of(cleared.openWrites, "open write")) (syncctl unknown list)")
        }
        if cleared.surplusPages > 0 {
            parts.append("\(Count.of(cleared.surplusPages, "surplus page")) (syncctl unknown surplus)")
        }
        return parts.isEmpty
            ? nil : "What may have happened is not forgotten. Still on record: \(parts.joined(separator: " and "))."
    }

    private static func json(_ cleared: SyncStateStore.Cleared) -> JSONValue {
        [
            "pages": .int(cleared.pages), "failures": .int(cleared.failures), "open_writes": .int(cleared.openWrites),
            "surplus_pages": .int(cleared.surplusPages),
        ]
    }
}
