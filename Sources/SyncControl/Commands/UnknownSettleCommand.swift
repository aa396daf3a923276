import ArgumentParser
import JobQueue
import NoteSync

/// `syncctl unknown settle`.
struct UnknownSettleCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "settle",
        abstract: "Say what became of a write.",
        discussion: """
            --written says that Notion shows it: a created page needs --page, an updated one is known. --not-written says that it \
            never arrived: the next sync makes it afresh.

            Examples:
              syncctl unknown settle anna@example.org 1892f3… --written --page 59833787-2cf9-4fdf-8782-e53db20768a5
              syncctl unknown settle anna@example.org 1892f3… --not-written
            """
    )

    enum Truth: String, EnumerableFlag {
        case written, notWritten
    }

    @OptionGroup var write: UnknownWriteArguments
    @Flag(help: "Whether the write is in Notion.")
    var truth: Truth
    @Option(help: "The page that was created: its id or its address at notion.so.")
    var page: String?

    func validate() throws {
        if truth == .notWritten, page != nil {
            throw ValidationError("--page goes with --written: a create that did not happen has no page.")
        }
        if let page, NotionID.page(page) == nil {
            throw ValidationError(
                "\"\(page.singleLine)\" names no page of Notion; expected an id of 32 hexadecimal digits, or the address of the page."
            )
        }
    }

    func run(_ session: DatabaseSession) async throws {
        let writes = UnknownWrites(pool: session.pool)
        guard let known = try await writes.list(user: write.user).first(where: { $0.noteID == write.note }),
            known.next != .underWay
        else { throw try await write.refusal(writes, to: "settle") }
        let isSettled: Bool
        switch truth {
        case .notWritten:
            isSettled = try await writes.settleAsNotWritten(user: write.user, note: write.note)
        case .written:
            guard (known.operation == "create") == (page != nil) else {
                throw SyncControlError(
                    .usage,
                    page == nil
                        ? "A page was to be created: say which with --page ID."
                        : "Page \(known.pageID ?? "") was to be updated; leave --page out."
                )
            }
            isSettled = try await settleAsWritten(writes)
        }
        guard isSettled else { throw try await write.refusal(writes, to: "settle") }
        try StandardStream.output.line(
            truth == .written
                ? "Recorded: the page shows the note." : "Forgotten: the next sync writes the note afresh."
        )
    }

    private func settleAsWritten(_ writes: UnknownWrites) async throws -> Bool {
        let id = page.flatMap(NotionID.page)
        if try await writes.settleAsWritten(user: write.user, note: write.note, page: id) { return true }
        if let id, let owner = try await writes.otherOwner(of: id, user: write.user, note: write.note) {
            throw SyncControlError(
                .refused,
                "Page \(id) belongs to note \(owner.note.singleLine) of user \(owner.user.rawValue.singleLine). Nothing was changed."
            )
        }
        return false
    }
}
