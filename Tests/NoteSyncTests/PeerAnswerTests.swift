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

    /// What the writer could not do for one caller is that caller's matter; what it could do for nobody is not.
    @Test(arguments: [
        ("argument of type 'NoneType' is not iterable", true), ("list index out of range", true),
        ("Notion is unavailable. Try again later.", false), ("Internal server error", false),
        ("Request to Notion API failed with status: 503", false), ("[Errno 111] Connection refused", false),
        ("timed out", false), ("", false),
    ])
    func aCallsOwnFault(_ reason: String, _ isOwn: Bool) {
        let body = Array(#"{"detail":"Failed to create Notion page: \#(reason)"}"#.utf8)
        #expect(HTTPResponse(status: 500, body: body).explainsCall(PeerMessage.prefixes) == isOwn)
        let proxy = Array(#"{"type":"about:blank","detail":"Failed to create Notion page: \#(reason)"}"#.utf8)
        #expect(!HTTPResponse(status: 500, body: proxy).explainsCall(PeerMessage.prefixes))
    }

    @Test func bytesThatAreNoText() {
        let bytes = Array(#"{"detail":""#.utf8) + [0xFF, 0xC0, 0x80] + Array(#""}"#.utf8)
        #expect(HTTPResponse(status: 502, body: bytes).detail == "HTTP status 502")
    }
}

/// What is stored of a peer's message.
@Suite struct PeerExplanationTests {
    private static let leftOut =
        "what else it said is not kept, as it may quote a note or a token; its own log may have it"
    private static let unknown =
        "an explanation that is not kept, as it may quote a note or a token; its own log may have it"

    @Test(arguments: [
        "Die PIN der Bank ist 4711", "DE89", "naïve", "To day I m et Char les", "Charles&nbsp;and&nbsp;Ada",
        "Charles+and+Ada", "VG9kYXkgSSBtZXQgQ2hhcmxlcw==", "ada@example.org", "aas_et/token", "Unauthorized access",
        "Can't edit block that is archivedX", "body of evidence", "bodywork should be fine", "HTTP status 200 km",
        #"said: "API token is invalid.""#,
    ])
    func whatIsNotKnownIsLeftOut(_ message: String) {
        #expect(PeerExplanation.kept(of: message) == Self.unknown)
        for known in ["Failed to extract notes", "Failed to create Notion page"] {
            #expect(PeerExplanation.kept(of: "\(known): \(message)") == "\(known) (\(Self.leftOut))")
        }
    }

    @Test(arguments: [
        "HTTP status 502", "Not authenticated: call /internal/keep/auth first", "Invalid master token",
        "Failed to extract notes: can't compare offset-naive and offset-aware datetimes",
        "Failed to create Notion page: API token is invalid",
        "Failed to update Notion page: Request to Notion API failed with status: 503",
        "Failed to create Notion page: body failed validation. Fix one: body.properties.title should be defined",
        "body.children[0].paragraph.rich_text[0].text.content.length should be ≤ `2000`",
        "body.note.labels.0: String should have at most 2000 characters",
        "query.limit: Input should be a valid integer",
        "Failed to create Notion page: [Errno 111] Connection refused", "502 Bad Gateway",
    ])
    func whatIsKnownIsKept(_ message: String) {
        #expect(PeerExplanation.kept(of: message) == message)
        #expect(PeerExplanation.kept(of: message + ".") == message)
        #expect(PeerExplanation.kept(of: message + ": 4711") == "\(message) (\(Self.leftOut))")
    }

    @Test(arguments: [
        ("Secret love is not a property that exists.", "… is not a property that exists"),
        ("Secret love is expected to be select.", "… is expected to be select"),
        ("Tags is expected to be multi_select.", "Tags is expected to be multi_select"),
        ("body.properties.Secret[4711000] should be x", "body.properties.…[…] should be … (\(leftOut))"),
        (
            "body.children[7].text should be ≤ `2000`, instead was `4711`.",
            "body.children[7].text should be ≤ `2000` (\(leftOut))"
        ),
        ("body.note.Rome: 4711", "body.note.…: … (\(leftOut))"),
        ("LoginException: ('BadAuthentication', None)", unknown),
        ("('BadAuthentication', None)", "BadAuthentication (\(leftOut))"),
        ("COULD NOT FIND DATABASE WITH ID: 12ab", "Could not find database with ID (\(leftOut))"),
        ("", "no explanation"),
    ])
    func ofAFaultWithAPlaceTheProtocolsNamesAreKept(_ message: String, _ kept: String) {
        #expect(PeerExplanation.kept(of: message) == kept)
    }

    @Test func aMessageOfMegabytesIsReadAtItsBeginning() {
        let long = String(repeating: "body.a[0]", count: 1_000_000)
        #expect(
            PeerExplanation.kept(of: "Failed to extract notes: " + long) == "Failed to extract notes (\(Self.leftOut))"
        )
    }
}
