import ArgumentParser
import Foundation
import JobQueue
import NoteSync
import Support

/// `syncctl unknown surplus`.
struct UnknownSurplusCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "surplus",
        abstract: "List pages that are there, or may be, beside a note's own, the oldest first.",
        usage: """
            syncctl unknown surplus [--user <user>] [--note <note>] [--limit <limit>]
            syncctl unknown surplus --user <user> [--note <note>] --forget <page>
            """,
        discussion: """
            A create that was sent again because its outcome was unknown leaves such a page if it was carried out after all. Where \
            its answer never came, the page's id is given as "unknown", once for each request, with the time it was sent; with a \
            writer that knows idempotency keys there may be none. Look for it in Notion, delete it, then take it off the list with \
            --forget. --forget unknown takes off all of a note. The note's own page is named too: leave that one alone. Where \
            syncctl unknown settle was told the page of one of several requests, all their times are listed, as it may have \
            been any of them.

            Examples:
              syncctl unknown surplus --user anna@example.org
              syncctl unknown surplus --user anna@example.org \\
                --forget 59833787-2cf9-4fdf-8782-e53db20768a5
              syncctl unknown surplus --user anna@example.org --note 1892f3… \\
                --forget unknown
            """
    )

    @Option(help: "Only those of this user.", transform: UserID.argument)
    var user: UserID?
    @Option(help: "Take this page off the list; needs --user.")
    var forget: String?
    @Option(help: "Only those of this note.")
    var note: String?
    @OptionGroup var list: ListOptions

    func validate() throws {
        if forget != nil, user == nil { throw ValidationError("--forget needs --user.") }
    }

    var outcomeCheck: String? { forget == nil ? nil : "syncctl unknown surplus" }

    func run(_ session: DatabaseSession) async throws {
        let writes = UnknownWrites(pool: session.pool)
        let pages = try await writes.surplusPages(user: user).filter { note == nil || $0.noteID == note }
        if let forget { return try await forgetPage(forget, among: pages, writes) }
        if pages.isEmpty, !list.json.isWanted { try await session.refuseUnlessKnown(user) }
        try list.print(pages, ifNone: "No surplus page\(user.ofUser) is known.", json: Self.json) { shown in
            // What is said of a note's requests names all of them.
            Self.table(shown, among: pages)
        }
    }

    private func forgetPage(_ id: String, among pages: [SurplusPage], _ writes: UnknownWrites) async throws {
        // As it is listed, or as Notion shows it.
        let named = NotionID.page(id)
        let meant = pages.filter { $0.pageID == id || named != nil && NotionID.page($0.pageID) == named }
        guard Set(meant.map(\.noteID)).count <= 1 else {
            throw SyncControlError(
                .usage,
                "There are some of \(Set(meant.map(\.noteID)).count) notes: name one with --note ID."
            )
        }
        guard let user, let page = meant.first,
            case let count = try await writes.forgetSurplusPage(user: user, note: page.noteID, page: page.pageID),
            count > 0
        else { throw notListed(id) }
        try StandardStream.report(Self.report(count, page))
    }

    private static func report(_ count: Int, _ page: SurplusPage) -> String {
        let note = page.noteID.singleLine
        guard page.pageID == SurplusPage.unknown else {
            return "Forgot the surplus page \(page.pageID.singleLine) of note \(note)."
        }
        return "Forgot \(Count.of(count, "surplus page")) of note \(note) that there may have been, of unknown id."
    }

    private func notListed(_ id: String) -> SyncControlError {
        let name = user?.rawValue.singleLine ?? ""
        let whose = note.map { "note \($0.singleLine) of user \(name)" } ?? "user \(name)"
        let what = id == SurplusPage.unknown ? "request of unknown outcome" : "page \(id.singleLine)"
        let list = user?.shellCommand(withOption: "syncctl unknown surplus") ?? "syncctl unknown surplus"
        return SyncControlError(
            .notFound,
            "No \(what) of \(whose) is on the list, and nothing was changed. See: \(list)"
        )
    }

    private static func json(_ page: SurplusPage) -> JSONValue {
        [
            "user_id": .string(page.userID.rawValue), "keep_note_id": .string(page.noteID),
            "notion_page_id": .string(page.pageID), "notion_database_id": .string(page.databaseID),
            "idempotency_key": .string(page.idempotencyKey.uuidString.lowercased()),
            "job_id": .string(page.jobID.description), "found_at": .time(page.foundAt),
            "sent_at": .time(page.sentAt), "settled_page_id": .string(page.settledPageID),
            "note_page_id": .string(page.notePageID),
        ]
    }

    private static func table(_ pages: [SurplusPage], among all: [SurplusPage]) -> TextTable {
        var table = TextTable([
            .init(title: "USER"), .init(title: "NOTE"), .init(title: "PAGE"),
            .init(title: "DATABASE"), .init(title: "SENT"), .init(title: "FOUND"),
        ])
        for page in pages {
            table.add(
                ShellWord.shown(page.userID.rawValue),
                ShellWord.shown(page.noteID),
                ShellWord.shown(page.pageID),
                page.databaseID,
                page.sentAt.map(TimeText.full) ?? "",
                TimeText.full(page.foundAt),
                remark: remark(page, among: all)
            )
        }
        return table
    }

    /// What is not to be taken for the page that is looked for.
    private static func remark(_ page: SurplusPage, among pages: [SurplusPage]) -> String? {
        let own = page.notePageID.map(ShellWord.shown)
        guard let settled = page.settledPageID else {
            return own.map { "not to be touched: the note's own page, \($0)" }
        }
        let sent = pages.filter {
            $0.userID == page.userID && $0.noteID == page.noteID && $0.settledPageID == settled
        }
        let times = sent.compactMap(\.sentAt).sorted().map(TimeText.full).joined(separator: ", ")
        let made =
            "page \(ShellWord.shown(settled)) was made by one of the \(sent.count) requests sent at \(times), and which is not known"
        guard settled == page.notePageID || own == nil else {
            return "\(made): look for pages of the others. Not to be touched: the note's own page, \(own ?? "")"
        }
        return own == nil
            ? "\(made): look for pages of the others"
            : "\(made): look for pages of the others. Not to be touched: that page, which is the note's own"
    }
}
