import Testing

@testable import SyncControl

@Suite("Tables for people")
struct TextTableTests {
    private static func table(_ rows: [[String]], remark: String? = nil) -> TextTable {
        var table = TextTable([
            .init(title: "NAME", minimumWidth: 6), .init(title: "N", alignment: .right), .init(title: "END"),
        ])
        for row in rows { table.add(row, remarks: [remark]) }
        return table
    }

    @Test("Columns are as wide as their contents, without blanks at the end of a line")
    func alignment() {
        let text = Self.table([["anna", "5", "x"], ["b", "1234", ""]]).text(width: nil)
        #expect(text == "NAME     N  END\nanna     5  x\nb     1234\n")
    }

    @Test("Controls that turn a text around are made visible, in tables and in JSON")
    func bidirectional() throws {
        let text = Self.table([["an\u{202E}na", "5", "\u{2066}x"]], remark: "y\u{200F}").text(width: nil)
        #expect(text.contains(#"an\u{202e}na"#) && text.contains(#"\u{2066}x"#) && text.contains(#"y\u{200f}"#))
        let json = try JSONValue.string("an\u{202E}na\u{61C}").text()
        #expect(json == #""an\u202ena\u061c""#)
    }

    @Test("On a narrow terminal rows take several lines, and nothing is cut")
    func narrow() {
        let rows = [["anna.with.a.long.name@example.org", "5", "x"], ["bob", "17", ""]]
        let text = Self.table(rows, remark: "! something that went wrong").text(width: 20)
        let lines = [
            "NAME", "   N  END", "anna.with.a.long.name@example.org", "   5  x", "  ! something that", "    went wrong",
            "bob", "  17", "  ! something that", "    went wrong",
        ]
        #expect(text == lines.map { $0 + "\n" }.joined())
        #expect(Self.table(rows).text(width: nil).contains(rows[0][0]))
    }

    @Test("A column of words is wrapped down to its minimum, and as wide as there is room")
    func wrapping() {
        let rows = [["sent again by a next sync", "5", "x"]]
        #expect(Self.table(rows).text(width: 21).contains("sent again by  5  x\na next sync\n"))
        #expect(Self.table(rows).text(width: 14).contains("sent    5  x\nagain\nby a\nnext\nsync\n"))
        #expect(Self.table(rows).text(width: 80).contains("sent again by a next sync  5  x\n"))
        #expect(Self.table(rows).text(width: 1).contains("sent\nagain\n"))
    }

    @Test(
        "A command in a text stays on one line where that is long enough, up to the end of its clause",
        arguments: [
            (
                "Store a valid one with: syncctl credentials set bob@example.org. Then go on.",
                ["Store a valid one with:", "  syncctl credentials set bob@example.org.", "  Then go on."]
            ),
            (
                "See (syncctl jobs 6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11)",
                ["See (syncctl jobs", "  6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11)"]
            ),
            ("", [""]), ("one", ["one"]),
        ]
    )
    func commands(text: String, lines: [String]) {
        #expect(text.wrapped(toWidth: 45, hanging: "  ") == lines)
        #expect(text.wrapped(toWidth: nil) == [text])
    }

    @Test(
        "Wide characters count as two columns, marks as none",
        arguments: [("日本", 4), ("🎉", 2), ("❤️", 2), ("👩‍👩‍👧", 2), ("e\u{301}", 1), ("שלום", 4), ("ä…", 2), ("🇩🇪", 2)]
    )
    func displayWidth(text: String, width: Int) {
        #expect(text.displayWidth == width)
    }

    @Test("Cutting never exceeds the width, even before a wide character")
    func truncation() {
        #expect("日本語".truncated(toWidth: 4) == "日…")
        #expect("日本語".truncated(toWidth: 6) == "日本語")
        #expect("abc".truncated(toWidth: 0).isEmpty)
    }

    @Test("Control characters of a cell do not reach the terminal")
    func controls() {
        let text = Self.table([["a\u{1B}[31m\nb", "1", "\u{7}"]]).text(width: nil)
        #expect(text.split(separator: "\n").count == 2)
        #expect(!text.contains("\u{1B}") && !text.contains("\u{7}"))
    }
}
