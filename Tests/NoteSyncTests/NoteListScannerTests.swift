import Foundation
import Testing

@testable import NoteSync

@Suite struct NoteListScannerTests {
    private func scan(_ text: String, chunk: Int = .max) throws -> (notes: [String], count: Int?) {
        let bytes = Array(text.utf8)
        var scanner = NoteListScanner()
        var ranges: [Range<Int>] = []
        for start in stride(from: 0, to: bytes.count, by: min(chunk, max(bytes.count, 1))) {
            let part = Array(bytes[start..<min(start + min(chunk, bytes.count), bytes.count)])
            try part.withUnsafeBytes { try scanner.feed($0) { ranges.append($0) } }
        }
        try scanner.finish()
        return (ranges.map { String(decoding: bytes[$0], as: UTF8.self) }, scanner.count)
    }

    private static let whole = #"""
         { "count" : 3, "meta":{"a":[1,{"b":"]}"}]}, "notes" : [ {"id":"1","content":"a\"}]{"} ,{"id":"2","x":{"y":[[]]}},
        {"id":"3 \\"}], "more":null,"flag":true , "text":"notes" }
        """#

    @Test func findsNotesWhereverTheTextIsCut() throws {
        let expected = [#"{"id":"1","content":"a\"}]{"}"#, #"{"id":"2","x":{"y":[[]]}}"#, #"{"id":"3 \\"}"#]
        for chunk in 1...Self.whole.utf8.count {
            let (notes, count) = try scan(Self.whole, chunk: chunk)
            #expect(notes == expected)
            #expect(count == 3)
        }
    }

    @Test func anEmptyListIsWhole() throws {
        #expect(try scan(#"{"notes":[],"count":0}"#).notes.isEmpty)
        #expect(try scan(#"{"count":0,"notes":[]}"#).count == 0)
    }

    @Test func everyCutOffTextIsTruncated() {
        for length in 0..<Self.whole.utf8.count - 1 {
            let text = String(Self.whole.prefix(length))
            if text.allSatisfy(\.isWhitespace) || length > 0 {
                #expect(throws: NoteListScanner.Failure.truncated, "\(length)") { try scan(text) }
            }
        }
    }

    @Test(arguments: [
        "[]", "null", #"{"notes":null}"#, #"{"notes":{}}"#, #"{"notes":"x"}"#, #"{"notes":[1]}"#, #"{"notes":[{},]}"#,
        #"{"notes":[{}{}]}"#, #"{"notes":[],}"#, #"{"count":1}"#, #"{"notes":[]} x"#, #"{"notes":[null]}"#, "<html>",
        #"{notes:[]}"#,
    ])
    func refusesWhatIsNoList(text: String) {
        #expect {
            try scan(text)
        } throws: { error in
            guard case .unexpected = error as? NoteListScanner.Failure else { return false }
            return true
        }
    }
}
