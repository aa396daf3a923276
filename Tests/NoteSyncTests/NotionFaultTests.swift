import Testing

@testable import NoteSync

@Suite struct NotionFaultTests {
    private func fault(_ message: String, status: Int = 500, creates: Bool = false) -> NotionFault {
        let prefix = creates ? "Failed to create Notion page: " : "Failed to update Notion page: "
        return NotionFault(status: status, message: prefix + message, retryAfter: nil, creates: creates)
    }

    @Test(arguments: [
        ("API token is invalid.", NotionFault.tokenInvalid),
        ("Unauthorized", .tokenInvalid),
        ("Could not find database with ID: 1. Make sure the relevant pages and databases are shared", .databaseGone),
        ("Could not find page with ID: 1. Make sure the relevant pages and databases are shared", .pageGone),
        ("Could not find block with ID: 1.", .pageGone),
        ("Can't edit block that is archived. You must unarchive the block before editing.", .pageTrashed),
        ("Can't edit page that is in trash", .pageTrashed),
        ("You have been rate limited. Please try again", .throttled(retryAfter: nil)),
        ("rate_limited", .throttled(retryAfter: nil)),
        ("HTTP 429", .throttled(retryAfter: nil)),
        ("validation_error", .rejected),
        ("body.children[0].text.content.length should be ≤ `2000`, instead was `2500`.", .rejected),
        ("body failed validation", .rejected),
        ("Conflict occurred while saving.", .unknown(answered: true)),
        ("HTTP 529", .unknown(answered: true)),
        ("502 Bad Gateway", .unknown(answered: true)),
        ("503 Service Unavailable", .unknown(answered: true)),
        ("504 Gateway Timeout", .unknown(answered: true)),
        ("Request to Notion API has timed out: timeout", .unknown(answered: true)),
        ("Internal Server Error", .unknown(answered: true)),
        ("something nobody has seen", .unknown(answered: true)),
    ])
    func readsEachRowOfTheTable(message: String, expected: NotionFault) {
        #expect(fault(message) == expected)
        #expect(fault(message.uppercased()) == expected)
    }

    @Test func whatACreateCanNotFindIsTheDatabase() {
        #expect(fault("Could not find page with ID", creates: true) == .databaseGone)
        #expect(fault("parent is in trash", creates: true) == .databaseGone)
    }

    @Test(arguments: [
        (422, NotionFault.rejected), (400, .rejected), (413, .rejected), (429, .throttled(retryAfter: nil)),
        (404, .notAWriter), (401, .notAWriter), (405, .notAWriter), (502, .unknown(answered: true)),
        (503, .unknown(answered: true)), (408, .unknown(answered: true)), (302, .unknown(answered: true)),
    ])
    func readsTheStatusWhereTheTextSaysNothing(status: Int, expected: NotionFault) {
        #expect(
            NotionFault(status: status, message: "HTTP status \(status)", retryAfter: nil, creates: true) == expected
        )
    }

    @Test func theWritersOwnWordsDoNotCount() {
        // "create Notion page" must not be read as a message of Notion's.
        #expect(fault("", creates: true) == .unknown(answered: true))
    }
}
