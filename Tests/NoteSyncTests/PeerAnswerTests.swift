import CurlHTTP
import Testing

@testable import NoteSync

/// What a peer says of an error, in every form it may have.
@Suite struct PeerAnswerTests {
    @Test(arguments: [
        (#"{"detail":"Why"}"#, "Why"), (#"{"detail":""}"#, ""), (#"{"detail":null}"#, "HTTP status 500"),
        (#"{"detail":7}"#, "HTTP status 500"), (#"{"detail":{"error":"x"}}"#, "HTTP status 500"),
        (#"{"detail":["x"]}"#, "HTTP status 500"), (#"{"detail":[]}"#, ""), (#"{"detail":[{}]}"#, "unknown"),
        (#"{"detail":[{"loc":["body",0,"title"],"msg":"missing","input":"secret"}]}"#, "body.0.title: missing"),
        (#"{"detail":[{"loc":[null],"msg":"m"}]}"#, "HTTP status 500"), (#"{"detail":"cut"#, "HTTP status 500"),
        ("", "HTTP status 500"), ("<html>", "HTTP status 500"), ("[]", "HTTP status 500"),
        ("\u{FEFF}{}", "HTTP status 500"),
        (String(repeating: "[", count: 100_000), "HTTP status 500"),
    ])
    func detail(_ body: String, _ expected: String) {
        #expect(HTTPResponse(status: 500, body: Array(body.utf8)).detail == expected)
    }

    @Test func bytesThatAreNoText() {
        let bytes = Array(#"{"detail":""#.utf8) + [0xFF, 0xC0, 0x80] + Array(#""}"#.utf8)
        #expect(HTTPResponse(status: 502, body: bytes).detail == "HTTP status 502")
    }
}

/// What is stored of a peer's message.
@Suite struct PeerMessageSanitizerTests {
    private func note(
        title: String = "Diary of Ada",
        content: String = "Today I met Charles at the ball.\nIt rained.",
        labels: [String] = ["Secret love", "Rome"],
        files: [String] = ["portrait-of-charles.jpg"]
    ) -> KeepNote {
        KeepNote(
            id: "1",
            title: title,
            content: content,
            createdAt: "",
            modifiedAt: KeepTimestamp(microseconds: 0),
            labels: labels,
            images: files.map { KeepNote.Image(id: "i", filename: $0, url: nil) }
        )
    }

    private func sanitize(_ message: String, note: KeepNote? = nil) -> String {
        PeerMessageSanitizer(secrets: ["lovelace-of-ada-1815"], note: note ?? self.note()).sanitize(message)
    }

    @Test(arguments: [
        "instead was Today I met Charles at the ball.", "instead was Today I met Char",
        "INSTEAD WAS TODAY I MET CHARLES",
        "title Diary of Ada can't be used", "labels.Secret love: no", "option Rome is unknown",
        "file portrait-of-charles.jpg", #"said \u0044iary\u0020of Ada"#, "said Diary%20of%20Ada", #"b'Diary of Ada\n'"#,
        "met\nCharles at the ball", "token lovelace-of-ada-1815", "token lovelace%2Dof-ada-1815", "It rained. again",
    ])
    func nothingOfTheNoteIsLeft(message: String) {
        let text = sanitize(message).lowercased()
        for word in ["charles", "diary", "secret love", "rome", "rained", "1815", "at the ball"] {
            #expect(!text.contains(word), "\(text)")
        }
    }

    @Test(arguments: [
        (#"instead was "anything at all" and more"#, "instead was … and more"),
        ("is `2000`, not `2500`.", "is …, not …."),
        ("«x» no “y”", "… no …"), (#"open "never closed"#, "open …"),
        ("Can't edit: 'quoted' can't", "Can't edit: … can't"),
    ])
    func quotationsAreDropped(message: String, left: String) {
        #expect(sanitize(message) == left)
    }

    @Test func notionsOwnSentenceStays() {
        let own = note(content: "Could not find database with ID and API token is invalid.")
        let message =
            "The Notion Writer answered 500: Failed to create Notion page: Could not find database with ID: 12ab."
        #expect(sanitize(message, note: own).hasPrefix(String(message.prefix(90))))
    }

    @Test func whatIsStoredIsBounded() {
        #expect(sanitize(String(repeating: "long ", count: 3_000)).count == PeerMessageSanitizer.limit)
        #expect(
            sanitize(String(repeating: "x", count: 20_000)) == "an explanation of 20000 bytes, too long to be repeated"
        )
    }

    @Test func aNoteOfMegabytesIsLookedThroughOnce() {
        let line = "line of a long note that nobody reads\n"
        let long = note(content: String(repeating: line, count: 200_000) + "the last secret line")
        #expect(!sanitize("instead was the last secret line", note: long).contains("secret"))
    }
}
