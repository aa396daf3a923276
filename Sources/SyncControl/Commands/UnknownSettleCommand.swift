import ArgumentParser
import JobQueue
import NoteSync
import Support

/// `syncctl unknown settle`.
struct UnknownSettleCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "settle",
        abstract: "Say what became of a write.",
        usage: """
            syncctl unknown settle <user> <note> --written [--page <page>]
            syncctl unknown settle <user> <note> --not-written
            """,
        discussion: """
            --written says that Notion shows it: a created page needs --page, an updated one is known. A create that was sent more \
            than once may have made further pages: all its requests stay listed by syncctl unknown surplus. --not-written says that none of its \
            requests arrived: the next sync makes it afresh.

            Examples:
              syncctl unknown settle anna@example.org 1892f3… --written \\
                --page 59833787-2cf9-4fdf-8782-e53db20768a5
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
    @OptionGroup var json: JSONOption

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

    var outcomeCheck: String? { "syncctl unknown list" }

    func run(_ session: DatabaseSession) async throws {
        let writes = UnknownWrites(pool: session.pool)
        guard let known = try await writes.list(user: write.user).first(where: { $0.noteID == write.note }),
            known.next != .underWay
        else { throw try await write.refusal(writes, to: "settle") }
        switch truth {
        case .notWritten:
            guard let requests = try await writes.settleAsNotWritten(user: write.user, note: write.note) else {
                throw try await write.refusal(writes, to: "settle")
            }
            let which = requests > 1 ? "none of its \(requests) requests was carried out" : "it was not carried out"
            try report("Recorded: \(which). The next sync writes the note afresh.", isWritten: false)
        case .written:
            guard (known.operation == "create") == (page != nil) else {
                throw SyncControlError(
                    .usage,
                    page == nil
                        ? "A page was to be created: say which with --page ID."
                        : "Page \(known.pageID ?? "") was to be updated; leave --page out."
                )
            }
            try await refuseDatabase(known, CredentialStore(pool: session.pool))
            guard let further = try await settleAsWritten(writes) else {
                throw try await write.refusal(writes, to: "settle")
            }
            try report("Recorded: the page shows the note.", isWritten: true, further)
            if further > 0 { tellOfFurtherPages(further, known) }
            try await tellOfOtherDatabase(known, session)
        }
    }

    private func report(_ words: String, isWritten: Bool, _ further: Int = 0) throws {
        try json.report(
            words,
            as: [
                "user_id": .string(write.user.rawValue), "keep_note_id": .string(write.note),
                "is_written": .bool(isWritten), "further_pages_there_may_be": .int(further),
            ]
        )
    }

    /// Who looks at a database has its address before them, and not that of the page in it.
    private func refuseDatabase(_ known: UnknownWrite, _ credentials: CredentialStore) async throws {
        guard let id = page.flatMap(NotionID.page) else { return }
        let databases = [known.databaseID, try await credentials.database(of: write.user)?.id]
        guard databases.compactMap(\.self).contains(where: { CredentialStore.isSameDatabase($0, id) }) else { return }
        throw SyncControlError(
            .usage,
            "\(id) is the Notion database, and not a page in it. Open the note's page, and give its address. Nothing was changed."
        )
    }

    /// A page that was written before the credentials came to name another database lies where it was sent to, and is
    /// on record as such.
    private func tellOfOtherDatabase(_ known: UnknownWrite, _ session: DatabaseSession) async throws {
        let credentials = try CredentialStore(pool: session.pool)
        guard let old = known.databaseID, let named = try await credentials.database(of: write.user)?.id,
            !CredentialStore.isSameDatabase(old, named)
        else { return }
        let pages = try await SyncStateStore(pool: session.pool).databases(of: write.user)
        let consequence =
            pages.accept(named)
            ? " A sync that finds the note creates a page of it there." : pages.refusal(of: write.user, naming: named)
        StandardStream.error.note(
            "It was sent to the database \(old.singleLine), where the page lies; the credentials name \(named.singleLine) now.\(consequence)"
        )
    }

    /// The note's creates are on record until somebody has looked for their pages.
    private func tellOfFurtherPages(_ count: Int, _ known: UnknownWrite) {
        let times = known.sentAt.map(TimeText.full).joined(separator: ", ")
        StandardStream.error.note(
            "It was sent \(Count.of(known.sentAt.count, "time")) (\(times)): up to \(Count.of(count, "further page")) of this note may "
                + "exist. Look for them in Notion beside this one, and take them off the list of: syncctl unknown surplus"
        )
    }

    /// - Returns: how many further pages there may be; nil: there is no such write any more.
    private func settleAsWritten(_ writes: UnknownWrites) async throws -> Int? {
        let id = page.flatMap(NotionID.page)
        let further = try await writes.settleAsWritten(user: write.user, note: write.note, page: id)
        if let further { return further }
        if let id, let owner = try await writes.otherOwner(of: id, user: write.user, note: write.note) {
            throw SyncControlError(
                .refused,
                "Page \(id) belongs to note \(owner.note.singleLine) of user \(owner.user.rawValue.singleLine). Nothing was changed."
            )
        }
        return nil
    }
}
