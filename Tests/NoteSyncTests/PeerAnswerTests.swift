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

    @Test func aLongExplanationIsNotRepeated() {
        let response = HTTPResponse(
            status: 500,
            body: Array(#"{"detail":"\#(String(repeating: "x", count: 20_000))"}"#.utf8)
        )
        #expect(response.detail.utf8.count == 20_000, "its words still tell what it means")
        #expect(response.quotableDetail == "an explanation of 20000 bytes, too long to be repeated")
        #expect("short".quotable == "short")
    }

    @Test func linesThatAMessageMayQuote() {
        let words = QuotedWords(in: #"Invalid value: "milk and eggs", "\u0061bcdef""#)
        #expect(words.mayContain("milk and eggs"[...]))
        #expect(!words.mayContain("bread and butter"[...]))
        #expect(words.mayContain("\"quoted\""[...]), "it may be spelled with a backslash")
        #expect(!QuotedWords(in: "Conflict").mayContain("ключ"[...]))
        #expect(QuotedWords(in: "bad ключ").mayContain("ключ 1"[...]))
    }
}
