import Foundation
import Testing

@testable import NoteSync

@Suite struct NotionDatabaseIDTests {
    static let written = [
        "0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF", "01234567-89ab-cdef-0123-456789abcdef",
        " 01234567-89AB-cdef-0123-456789abcdef\n", "https://www.notion.so/0123456789abcdef0123456789abcdef",
        "https://www.notion.so/team/My-Notes-0123456789abcdef0123456789abcdef?v=ffffffffffffffffffffffffffffffff&pvs=4",
        "https://www.notion.so/team/0123456789abcdef0123456789abcdef/",
        "notion.so/x/Deadbeef-0123456789abcdef0123456789abcdef#a",
    ]

    @Test(arguments: written) func howeverItIsWrittenItIsTheSame(_ text: String) {
        #expect(NotionDatabaseID(text).text == "0123456789abcdef0123456789abcdef")
    }

    @Test(arguments: ["db-of-ada", "", "0123", " x "]) func anythingElseStays(_ text: String) {
        #expect(NotionDatabaseID(text).text == text.trimmingCharacters(in: .whitespaces))
    }
}
