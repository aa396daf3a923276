import Testing

@testable import NoteSync

@Suite struct NotionFaultTests {
    private func fault(
        _ message: String,
        status: Int = 500,
        creates: Bool = false,
        words: NoteWords = .none
    ) -> NotionFault {
        let prefix = creates ? "Failed to create Notion page: " : "Failed to update Notion page: "
        return NotionFault(
            status: status,
            message: prefix + message,
            retryAfter: nil,
            creates: creates,
            words: words
        )
    }

    private func words(title: String = "", content: String = "", labels: [String] = [], images: [String] = [])
        -> NoteWords
    {
        NoteWords(
            NotionNote(
                KeepNote(
                    id: "1",
                    title: title,
                    content: content,
                    createdAt: "",
                    modifiedAt: KeepTimestamp(microseconds: 0),
                    labels: labels,
                    images: images.map { KeepNote.Image(id: "i", filename: $0, url: "u") }
                ),
                untitledNumber: nil
            )
        )
    }

    @Test(arguments: [
        ("API token is invalid.", NotionFault.tokenInvalid),
        ("Unauthorized", .tokenInvalid),
        ("Could not find database with ID: 1. Make sure the relevant pages and databases are shared", .databaseGone),
        ("Could not find page with ID: 1. Make sure the relevant pages and databases are shared", .pageGone),
        ("Could not find block with ID: 1.", .pageGone),
        ("Can't edit block that is archived. You must unarchive the block before editing.", .pageTrashed),
        ("Can't edit page on block with an archived ancestor. You must unarchive the ancestor", .pageTrashed),
        ("Can't update a page that is archived. You must unarchive the page", .pageTrashed),
        ("You have been rate limited. Please try again", .throttled(retryAfter: nil)),
        ("Request to Notion API failed with status: 429", .throttled(retryAfter: nil)),
        ("body.children[0].text.content.length should be ≤ `2000`, instead was `2500`.", .rejected),
        ("body failed validation. Fix one: body.x should be defined", .rejected),
        ("Topics is not a property that exists.", .rejected),
        ("Tags is expected to be multi_select.", .rejected),
        ("Created at is expected to be date. Name is expected to be title.", .rejected),
        ("Could not find property with name or id: Tags", .rejected),
        ("Invalid multi_select option, commas not allowed: archived, 2019", .rejected),
        ("Conflict occurred while saving. Please try again.", .conflict),
        ("Request to Notion API failed with status: 502", .ambiguous()),
        ("Request to Notion API failed with status: 529", .ambiguous()),
        ("Request to Notion API has timed out", .ambiguous()),
        ("Server disconnected without sending a response.", .ambiguous()),
        ("", .ambiguous()),
        ("Internal Server Error", .ambiguous()),
        ("something nobody has seen", .ambiguous()),
    ])
    func readsEachRowOfTheTable(message: String, expected: NotionFault) {
        #expect(fault(message) == expected)
        #expect(fault(message.uppercased()) == expected)
    }

    @Test(arguments: [
        "instead was `2429`", "request 7c4290ab failed", "HTTP 429", "rate_limited", "validation_error",
        "page is in trash",
        "the label archived can't be used", "no: API token is invalid.", "said: Could not find page with ID: 1",
        "Request to Notion API failed with status: 504 Gateway Timeout, Tags is expected to be number.",
        "Server disconnected while Tags is expected to be number.", "Upstream said: Tags is expected to be number.",
        "Request to Notion API has timed out after Topics is not a property that exists.",
        "archived", "429", "multi_select option, commas not allowed: archived, 2019", "Unexpected: body.x should be y",
    ])
    func aWordSomewhereProvesNothing(message: String) {
        #expect(fault(message) == .ambiguous())
        #expect(fault(message, creates: true) == .ambiguous())
    }

    @Test func whatIsQuotedProvesNothing() {
        #expect(fault("\"API token is invalid.\" is not a property that exists.") == .rejected)
        #expect(fault("`Could not find page with ID` failed") == .ambiguous())
        #expect(fault("“Unauthorized” and more") == .ambiguous())
    }

    @Test func theNotesOwnWordsProveNothing() {
        let title = words(title: "Unauthorized access")
        #expect(fault("Unauthorized access is not a property that exists.", words: title) == .rejected)
        #expect(fault("Unauthorized access", words: title) == .ambiguous())
        let label = words(labels: ["You have been rate limited"])
        #expect(fault("You have been rate limited: no such option", words: label) == .ambiguous())
        let line = words(content: "first\nAPI token is invalid.\nlast")
        #expect(fault("API token is invalid. can't be parsed", words: line) == .ambiguous())
        let short = words(title: "Can", labels: ["Coul"])
        #expect(fault("Can't edit block that is archived.", words: short) == .pageTrashed, "a part of a word is none")
        #expect(fault("Could not find page with ID: 1", words: short) == .pageGone)
    }

    /// A label that is the first word of Notion's sentence takes nothing away from it.
    @Test func aSentenceThatBeginsWithAWordOfTheNoteIsNotions() {
        let note = words(content: "body", labels: ["You have", "Request", "Could not"])
        #expect(fault("You have been rate limited. Please try again", words: note) == .throttled(retryAfter: nil))
        #expect(fault("Request to Notion API failed with status: 429", words: note) == .throttled(retryAfter: nil))
        #expect(fault("body failed validation. Fix one: body.x should be defined", words: note) == .rejected)
        #expect(fault("Could not find page with ID: 1", words: note) == .pageGone)
    }

    /// The writer repeats the first sixty characters of a line.
    @Test(arguments: [
        "Unauthorized copies of the house key are with the neighbour on the second floor",
        "Could not find database with ID cards of the club, ask Tom where he has put them",
        "Can't edit block that is archived in the cellar, says the note on the printing press",
        "You have been rate limited by the landlord, said the man who came to read the meter",
    ])
    func aLineThatIsCutOffProvesNothing(line: String) {
        let note = words(content: "first\n\(line)\nlast")
        #expect(fault(String(line.prefix(60)), words: note) == .ambiguous())
        #expect(fault(String(line.prefix(60)) + " is not a property that exists.", words: note) == .rejected)
    }

    /// Where the note's words end, nobody knows: a piece of it may be cut off anywhere.
    @Test(arguments: [
        "Unauthorized acc", "Unauthorized copies", "Unauthorized-copies", "API token is invalid, says the ad",
        "You have been rate limited by the landlord", "Conflict occurred while saving the old house",
        "Request to Notion API failed with status: 4290", "body failed validation yesterday", "body should be was",
        "bodywork should be ok", "Could not find page with IDs", "Could not find database with ID cards",
        "no pain is not a property that exists in me", "Tags is expected to be multi_select again",
        "Tags is expected to be there",
    ])
    func aSentenceThatGoesOnInOtherWordsIsNotNotions(piece: String) {
        let line = words(content: piece + " and so on, to the end of the line")
        #expect(fault(piece, words: line) == .ambiguous())
        #expect(fault(piece.prefix(1) == "b" ? piece + "." : piece, words: line) == .ambiguous())
    }

    @Test func aSentenceWithinALineOfTheNoteIsTheNotes() {
        let line = words(
            content: "He said: API token is invalid. Could not find page with ID: 1, and body.x should be y"
        )
        for piece in ["API token is invalid. Could", "Could not find page with ID: 1", "body.x should be y"] {
            #expect(fault(piece, words: line) == .ambiguous())
        }
        #expect(fault("You have been rate limited. Please", words: line) == .throttled(retryAfter: nil))
    }

    /// The writer refuses the note, and quotes it: what it says goes on as Notion does.
    @Test(arguments: [
        (
            "body failed validation. Fix one: body.children[0] should be defined, instead was `body failed validation`.",
            NotionFault.rejected
        ),
        ("body failed validation: body.parent should be defined", .rejected),
        ("You have been rate limited. Please try again in a few minutes.", .throttled(retryAfter: nil)),
        ("Conflict occurred while saving. Please try again.", .conflict),
        ("Can't edit block that is archived. You must unarchive the block before editing.", .pageTrashed),
        (
            "Could not find database with ID: 01234567-89ab-cdef-0123-456789abcdef. Make sure the relevant pages and "
                + "databases are shared with your integration.", .databaseGone
        ),
    ])
    func aSentenceThatGoesOnAsNotionsDoesIsNotions(message: String, expected: NotionFault) {
        let sentences =
            "body failed validation\nYou have been rate limited\nConflict occurred while saving\n"
            + "Can't edit block that is archived\nsaid: Could not find database with ID"
        #expect(fault(message, words: words(content: sentences)) == expected)
        #expect(fault(message, words: words(content: sentences + "\n" + message)) == .ambiguous(), "it has all of it")
    }

    @Test func whatACreateCanNotFindIsTheDatabase() {
        #expect(fault("Could not find page with ID", creates: true) == .databaseGone)
        #expect(fault("Can't edit block that is archived", creates: true) == .databaseGone)
    }

    @Test(arguments: [
        (422, NotionFault.rejected), (400, .rejected), (413, .rejected), (409, .conflict),
        (429, .throttled(retryAfter: nil)), (529, .throttled(retryAfter: nil)), (404, .wrongEndpoint),
        (401, .wrongEndpoint), (403, .wrongEndpoint), (405, .wrongEndpoint), (301, .wrongEndpoint),
        (308, .wrongEndpoint),
        (502, .ambiguous()), (503, .ambiguous()), (408, .ambiguous()),
    ])
    func readsTheStatusWhereTheTextSaysNothing(status: Int, expected: NotionFault) {
        #expect(
            NotionFault(status: status, message: "HTTP status \(status)", retryAfter: nil, creates: true) == expected
        )
    }

    /// As of a proxy in front of it.
    @Test(arguments: [400, 402, 406, 407, 410, 421, 425, 426, 431, 451])
    func whatTheWriterHasNotSaidIsNoRefusal(status: Int) {
        let fault = NotionFault(status: status, message: "m", retryAfter: nil, creates: true, isExplained: false)
        #expect(fault == .wrongEndpoint)
    }
}
