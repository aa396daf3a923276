import Foundation
import Testing

@testable import NoteSync

@Suite struct NoteDecodingTests {
    private func decode(_ json: String) throws(UnusableNote) -> KeepNote {
        try KeepNote.decode(Data(json.utf8), position: 7)
    }

    private static let whole = """
        {"id":"n1","title":"Title","content":"Text","created_at":"2025-01-01T00:00:00","modified_at":"2025-01-02T00:00:00.5",
        "labels":["a"],"images":[{"id":"i","filename":"f.png","s3_url":null,"error":"lost"}],"new_field":{"x":1}}
        """

    @Test func readsAWholeNote() throws {
        let note = try decode(Self.whole)
        #expect(note.id == "n1")
        #expect(note.modifiedAt == KeepTimestamp("2025-01-02T00:00:00.500000"))
        #expect(note.images == [KeepNote.Image(id: "i", filename: "f.png", url: nil)])
        #expect(note.createdAt == "2025-01-01T00:00:00")
    }

    @Test(arguments: [
        (#""title":"Title""#, #""title":null"#, "field title is null"),
        (#""title":"Title""#, #""title":5"#, "field title is not of type String"),
        (#""content":"Text""#, #""text":"Text""#, "field content is missing"),
        (#""labels":["a"]"#, #""labels":[1]"#, "field labels[0] is not of type String"),
        (#""labels":["a"]"#, #""labels":"a""#, "field labels is not of type"),
        (#""id":"i""#, #""id":null"#, "field images[0].id is null"),
        (#""2025-01-02T00:00:00.5""#, #""soon""#, "field modified_at is not an ISO 8601 time"),
        (#""2025-01-02T00:00:00.5""#, "null", "field modified_at is null"),
        (#""id":"n1""#, #""id":"""#, "field id is empty"),
        (#""id":"n1""#, #""id":"a\u0000b""#, "field id holds a NUL character"),
        (#""id":"n1""#, #""id":"\#(String(repeating: "x", count: 300))""#, "field id is longer than 255 characters"),
        (#"{"id""#, #"{{"id""#, "not valid JSON"),
    ])
    func namesTheFieldInTheWay(part: String, replacement: String, reason: String) {
        let json = Self.whole.replacingOccurrences(of: part, with: replacement)
        #expect {
            try decode(json)
        } throws: { error in
            guard let error = error as? UnusableNote else { return false }
            return error.position == 7 && error.reason.contains(reason)
        }
    }

    @Test func keepsWhatIdentifiesAnUnusableNote() {
        let json = Self.whole.replacingOccurrences(of: #""title":"Title""#, with: #""title":[]"#)
        do throws(UnusableNote) {
            _ = try decode(json)
            Issue.record("decoded")
        } catch {
            #expect(error.id == "n1")
            #expect(error.modifiedAt == KeepTimestamp("2025-01-02T00:00:00.5"))
        }
    }

    @Test func saysThatANoteIsNestedTooDeeply() {
        let deep = String(repeating: "[", count: 600) + "\"]{\"" + String(repeating: "]", count: 600)
        let json = Self.whole.replacingOccurrences(of: #"{"x":1}"#, with: deep)
        #expect {
            try decode(json)
        } throws: { error in
            (error as? UnusableNote)?.reason == "nested more than 512 levels deep"
        }
    }

    @Test func refusesInvalidUTF8() {
        var bytes = Data(Self.whole.utf8)
        bytes.replace(Data("Text".utf8), with: Data([0xFF, 0xFE, 0x41]))
        #expect(throws: UnusableNote.self) { try KeepNote.decode(bytes, position: 1) }
    }

    @Test(arguments: [
        ("Note #7", 7), ("Note #", nil), ("Note #7b", nil), ("note #7", nil), ("Note #٧", nil), ("My Note #7", nil),
        ("Note #007", nil), ("Note #07", nil), ("Note #8", nil), ("Note #20250102123", nil), ("Note #+7", nil),
    ])
    func knowsAPositionalTitle(title: String, number: Int?) throws {
        var note = try decode(Self.whole)
        note.title = title
        #expect(note.untitledNumber == number)
    }

    @Test(arguments: [
        (#"a\ud800b"#, "a\u{FFFD}b"), (#"\udc00"#, "\u{FFFD}"), (#"\ud83d\ude00"#, "😀"),
        (#"\ud83d\ud83d\ude00"#, "\u{FFFD}😀"),
        (#"\\ud800"#, #"\ud800"#), (#"\ud800\n"#, "\u{FFFD}\n"), (#"é\uD8FF"#, "é\u{FFFD}"),
    ])
    func aLoneSurrogateBecomesAReplacementCharacter(_ written: String, _ read: String) throws {
        let json = Self.whole.replacingOccurrences(of: "\"Text\"", with: "\"\(written)\"")
        let note = try decode(json)
        #expect(note.content == read)
    }

    /// Two notes that differ in it alone would be taken for one.
    @Test(arguments: [#"n\ud800"#, #"n\udbff"#])
    func anIdentifierWithALoneSurrogateIsRefused(_ written: String) {
        let json = Self.whole.replacingOccurrences(of: "\"n1\"", with: "\"\(written)\"")
        #expect {
            try decode(json)
        } throws: { error in
            (error as? UnusableNote)?.reason.contains("surrogate") ?? false
        }
    }

    @Test func aSurrogateInBytesBecomesAReplacementCharacter() throws {
        var bytes = Data(Self.whole.utf8)
        bytes.replace(Data("Text".utf8), with: Data([0x41, 0xED, 0xA0, 0x80, 0x42]))
        let note = try KeepNote.decode(bytes, position: 1)
        #expect(note.content == "A\u{FFFD}B")
    }
}
