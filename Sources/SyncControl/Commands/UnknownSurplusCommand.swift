import ArgumentParser
import Foundation
import JobQueue
import NoteSync

/// `syncctl unknown surplus`.
struct UnknownSurplusCommand: DatabaseCommand {
    static let configuration = CommandConfiguration(
        commandName: "surplus",
        abstract: "List pages that are there beside a note's own, the oldest first.",
        discussion: """
            A create that was sent again because its outcome was unknown, and answered after all, leaves such a page. Delete it in \
            Notion, then take it off the list with --forget.

            Examples:
              syncctl unknown surplus --user anna@example.org
              syncctl unknown surplus --user anna@example.org --forget 59833787-2cf9-4fdf-8782-e53db20768a5
            """
    )

    @Option(help: "Only those of this user.", transform: UserID.argument)
    var user: UserID?
    @Option(help: "Take this page off the list; needs --user.")
    var forget: String?
    @OptionGroup var json: JSONOption

    func validate() throws {
        if forget != nil, user == nil { throw ValidationError("--forget needs --user.") }
    }

    func run(_ session: DatabaseSession) async throws {
        let writes = UnknownWrites(pool: session.pool)
        let pages = try await writes.surplusPages(user: user)
        if let forget {
            guard let page = pages.first(where: { $0.pageID == forget }),
                try await writes.forgetSurplusPage(user: page.userID, note: page.noteID, page: page.pageID)
            else {
                throw SyncControlError(.notFound, "There is no surplus page \(forget.singleLine) on the list.")
            }
            return try StandardStream.output.line("Forgot the surplus page \(forget.singleLine).")
        }
        if json.isWanted {
            try JSONValue.array(pages.map(Self.json)).print()
        } else if pages.isEmpty {
            StandardStream.error.note("No surplus page is known.")
        } else {
            try StandardStream.output.write(Self.table(pages).text(width: StandardStream.output.width))
        }
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
