import ArgumentParser
import Foundation
import JobQueue
import NoteSync

/// `syncctl unknown surplus`.
struct UnknownSurplusCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "surplus",
        abstract: "List pages that are there, or may be, beside a note's own, the oldest first.",
        discussion: """
            A create that was sent again because its outcome was unknown leaves such a page if it was carried out after all. Where \
            its answer never came, the page's id is given as "unknown", and with a writer that knows idempotency keys there may be \
            none. Look for it in Notion, delete it, then take it off the list with --forget.

            Examples:
              syncctl unknown surplus --user anna@example.org
              syncctl unknown surplus --user anna@example.org --forget 59833787-2cf9-4fdf-8782-e53db20768a5
              syncctl unknown surplus --user anna@example.org --note 1892f3… --forget unknown
            """
    )

    @Option(help: "Only those of this user.", transform: UserID.argument)
    var user: UserID?
    @Option(help: "Take this page off the list; needs --user.")
    var forget: String?
    @Option(help: "Only those of this note.")
    var note: String?
    @OptionGroup var json: JSONOption

    func validate() throws {
        if forget != nil, user == nil { throw ValidationError("--forget needs --user.") }
    }

    func run(_ session: DatabaseSession) async throws {
        let writes = UnknownWrites(pool: session.pool)
        let pages = try await writes.surplusPages(user: user).filter { note == nil || $0.noteID == note }
        if let forget { return try await forgetPage(forget, among: pages, writes) }
        if json.isWanted {
            try JSONValue.array(pages.map(Self.json)).print()
        } else if pages.isEmpty {
            StandardStream.error.note("No surplus page is known.")
        } else {
            try StandardStream.output.write(Self.table(pages).text(width: StandardStream.output.width))
        }
    }

    private func forgetPage(_ id: String, among pages: [SurplusPage], _ writes: UnknownWrites) async throws {
        let named = pages.filter { $0.pageID == id }
        guard named.count <= 1 else {
            throw SyncControlError(
                .usage,
                "There are \(named.count) of them, of several notes: name one with --note ID."
            )
        }
        guard let page = named.first,
            try await writes.forgetSurplusPage(user: page.userID, note: page.noteID, page: page.pageID)
        else {
            throw SyncControlError(.notFound, "There is no surplus page \(id.singleLine) on the list.")
        }
        try StandardStream.output.line("Forgot the surplus page \(id.singleLine).")
    }

    private static func json(_ page: SurplusPage) -> JSONValue {
        [
            "user_id": .string(page.userID.rawValue), "keep_note_id": .string(page.noteID),
            "notion_page_id": .string(page.pageID), "notion_database_id": .string(page.databaseID),
            "idempotency_key": .string(page.idempotencyKey.uuidString.lowercased()),
            "job_id": .string(page.jobID.description), "found_at": .time(page.foundAt),
        ]
    }

    private static func table(_ pages: [SurplusPage]) -> TextTable {
        var table = TextTable([
            .init(title: "USER", minimumWidth: 12), .init(title: "NOTE"), .init(title: "PAGE"), .init(title: "FOUND"),
        ])
        for page in pages { table.add(page.userID.rawValue, page.noteID, page.pageID, TimeText.full(page.foundAt)) }
        return table
    }
}
