import Foundation
import Testing

@testable import PeerSimulator

/// What tools other than Google's write into an export.
@Suite struct TakeoutFormsTests {
    private func note(_ json: String) throws -> TakeoutNote {
        try #require(TakeoutNote(try JSONDecoder().decode(JSONValue.self, from: TakeoutText(Data(json.utf8)).json)))
    }

    @Test func textThatIsThereAsHTMLAlone() throws {
        let paragraphs = try note(
            #"{"textContentHtml":"<p>Br&ouml;t &amp; Tee<br>zwei</p><ul><li>a</li></ul><a href=\"https://a.example/b\">mehr</a>"}"#
        )
        #expect(paragraphs.content == "Bröt & Tee\nzwei\n• a\nmehr (https://a.example/b)")
        let list = try note(#"{"listContent":[{"textHtml":"<p>Eier &#x26; Milch</p>","isChecked":true}]}"#)
        #expect(list.content == "☑ Eier & Milch")
        #expect(try note(#"{"textContent":"","textContentHtml":"<p>x</p>"}"#).content == "x")
        #expect(try note(#"{"textContent":"y","textContentHtml":"<p>x</p>"}"#).content == "y")
    }

    @Test(arguments: [
        ("<p>a</p><br /><p>b</p>", "a\n\nb"), ("a < b > <name>", "a < b > <name>"), ("a\n  b", "a\n  b"),
        ("<p>a\n  b</p>", "a b"), ("<p style=\"white-space: pre-wrap\">a\n  b</p>", "a\n  b"),
        ("<ol><li><p>x</p></li><li>y<ul><li>z</li></ul></li></ol>", "1. x\n2. y\n  • z"),
        ("<a href='https://a.example/'>https://a.example/</a>", "https://a.example/"),
        ("<!-- no --><style>p{}</style>&unknown; &#8364; &euro;", "&unknown; € €"), ("<p>open", "open"), ("<p", "<p"),
    ]) func htmlAsText(_ html: String, _ text: String) {
        #expect(HTMLText.text(html) == text)
    }

    @Test func numbersAreTextAndUnknownFormsAreCounted() throws {
        let numbers = try note(#"{"title":19.90,"textContent":12345678901234567890123,"listContent":[{"text":7}]}"#)
        #expect(numbers.title == "19.90")
        #expect(numbers.content == "12345678901234567890123\n☐ 7")
        #expect(numbers.left == .init())
        let odd = try note(
            #"{"title":["a"],"textContent":{"b":1},"listContent":[{"text":["c"],"isChecked":"maybe"}],"isTrashed":[]}"#
        )
        #expect(odd.left == .init(oddParts: 5))
        #expect(TakeoutReport(notes: 1, left: odd.left).description.contains("5 titles, texts"))
        let files = try note(#"{"attachments":[{"filePath":"a.mp4","mimetype":"video/mp4"},{"filePath":"b.3gp"}]}"#)
        #expect(files.left == .init(audio: 1, files: 1))
    }

    @Test(arguments: [
        ("https://a.example/rezepte/brot", false), ("https://a.example/rezepte", true),
        ("(https://a.example/rezepte).", true), ("https://b.example/?u=https://a.example/rezepte", false),
        ("https://a.example/rezepte?x=1 and https://a.example/rezepte, too", true), ("", false),
    ]) func linksAreComparedWhole(_ text: String, _ shows: Bool) {
        #expect(TakeoutLinks.text(text, shows: "https://a.example/rezepte") == shows)
    }

    @Test func otherEncodingsAreSaid() throws {
        let bytes = Data(#"{"title":"Gr"#.utf8) + [0xFC, 0xDF] + Data("e ".utf8) + [0x80] + Data(#""}"#.utf8)
        let latin1 = TakeoutText(bytes)
        #expect(latin1.encoding == .windows1252)
        #expect(String(decoding: latin1.json, as: UTF8.self) == #"{"title":"Grüße €"}"#)
        let damaged = TakeoutText(Data(#"{"title":"Grüße "#.utf8) + Data([0xC3]) + Data(#""}"#.utf8))
        #expect(damaged.encoding == .damagedUTF8)
        let utf32 = TakeoutText(try #require(#"{"title":"ü"}"#.data(using: .utf32LittleEndian)))
        #expect(String(decoding: utf32.json, as: UTF8.self) == #"{"title":"ü"}"#)
        var report = TakeoutReport()
        report.add(try note(#"{"title":"a"}"#), .windows1252, file: "old.json")
        report.add(try note(#"{"title":"a"}"#), .damagedUTF8, file: "broken.json")
        #expect(report.description.contains("Windows-1252, being in no Unicode encoding: old.json."))
        #expect(report.description.contains("bytes that are none: broken.json."))
    }

    @Test(arguments: ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000", #""1700000000.0""#])
    func theUnitOfATimeIsKnownByItsSize(_ time: String) throws {
        #expect(try note(#"{"title":"t","createdTimestampUsec":\#(time)}"#).created == 1_700_000_000_000_000)
    }

    @Test(arguments: ["9223372036854775807", "1", "-1700000000", "[]", #""soon""#, #""9999-01-01""#])
    func aTimeOutOfRangeIsNone(_ time: String) throws {
        let odd = try note(#"{"title":"t","userEditedTimestampUsec":\#(time)}"#)
        #expect(odd.edited == nil)
        #expect(odd.left == .init(oddTimes: 1))
    }

    @Test func whatIsNoFileIsSaidInWords() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("takeout-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("dir.json"),
            withIntermediateDirectories: true
        )
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        #expect(mkfifo(folder.appendingPathComponent("pipe.json").path, 0o600) == 0)
        try Data().write(to: folder.appendingPathComponent("empty.json"))
        let messages = LoggedMessages()
        #expect(try TakeoutReader(path: folder.path, logger: messages.logger).notes().isEmpty)
        for words in [
            "dir.json: not a Keep note that can be read (it is a folder)", "(it is no file)", "(it is empty)",
        ] {
            #expect(messages.all.contains { $0.hasSuffix(words) || $0.contains(words) })
        }
    }
}
