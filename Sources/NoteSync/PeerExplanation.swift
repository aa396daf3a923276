/// What is kept of a peer's explanation of an error: the sentences that are known to be its own, in this program's copy
/// of them. All else may repeat a note or a token, in pieces and in any encoding, and is left out.
struct PeerExplanation {
    private var rest: Substring
    private var text = ""

    /// The explanation as it may be logged and stored. Ends without a full stop.
    static func kept(of message: String) -> String {
        var explanation = PeerExplanation(rest: message[...])
        explanation.readParts()
        guard !explanation.text.isEmpty else {
            return message.isEmpty ? "no explanation" : "an explanation that is not kept, \(reason)"
        }
        return explanation.rest.isEmpty
            ? explanation.text : "\(explanation.text) (what else it said is not kept, \(reason))"
    }

    private static let reason = "as it may quote a note or a token; its own log may have it"

    /// More than any sentence of the peers has.
    private static let mostParts = 6

    private mutating func readParts() {
        skipPunctuation()
        var link = ""
        for _ in 0..<Self.mostParts {
            guard let (part, end) = Self.sentence(rest) ?? Self.placedFault(rest) ?? Self.propertyFault(rest) else {
                return
            }
            text += link + part
            rest = rest[end...]
            link = rest.first == "." ? ". " : rest.first == " " ? " " : ": "
            skipPunctuation()
        }
    }

    private mutating func skipPunctuation() {
        rest = rest.drop { $0.isWhitespace || ".:;,-!`'\"()".contains($0) }
    }

    // MARK: Sentences

    /// What peers say, `#` being a number; a whole sentence or the beginning of one.
    ///
    /// Source: the writer's and the extractor's source, contracts 2 and 3; Notion's documentation, "Status codes"; the
    /// libraries with which they call Google and Notion.
    private static let sentences =
        NotionFault.sentenceTexts + [
            "HTTP status #", "Failed to create Notion page", "Failed to update Notion page", "Failed to extract notes",
            "Failed to authenticate", "Fix one", "Please try again", "Please try again in a few minutes",
            "Make sure the relevant pages and databases are shared with your integration",
            "You must unarchive the block before editing", "Request to Notion API has timed out",
            "Request to Notion API failed with status: #", "Notion is unavailable", "Service temporarily unavailable",
            "can't compare offset-naive and offset-aware datetimes",
            "can't subtract offset-naive and offset-aware datetimes", "Invalid modified_since format",
            "Invalid isoformat string", "Not authenticated", "call /internal/keep/auth first", "Invalid master token",
            "username is required", "master_token is required", "BadAuthentication", "NeedsBrowser", "Login failed",
            "Authentication failed", "Rate limit exceeded", "Quota exceeded", "Too Many Requests",
            "Internal Server Error", "Bad Gateway", "# Bad Gateway", "Service Unavailable", "# Service Unavailable",
            "Gateway Timeout", "Gateway Time-out", "# Gateway Timeout", "# Gateway Time-out", "Server disconnected",
            "Server disconnected without sending a response", "All connection attempts failed", "[Errno #]",
            "Connection refused", "Connection aborted", "Connection reset by peer", "Connection timed out",
            "Read timed out", "The read operation timed out", "Remote end closed connection without response",
            "Name or service not known", "Temporary failure in name resolution", "No space left on device",
            "Too many open files", "Cannot allocate memory",
        ]

    private typealias Part = (text: String, end: String.Index)

    private static func sentence(_ text: Substring) -> Part? { longest(of: sentences, text) }

    private static func longest(of templates: [String], _ text: Substring) -> Part? {
        templates.compactMap { PeerMessage.matchWhole($0, text, before: ".:;,!'\")") }.max { $0.end < $1.end }
    }

    // MARK: Places

    /// `body.children[0].text.content.length should be ≤ 2000`, as Notion says it, or `body.note.labels.0: Field
    /// required`, as FastAPI does; of the place the names that are part of the protocols.
    private static func placedFault(_ text: Substring) -> Part? {
        guard let place = PeerMessage.place(beginning: text) else { return nil }
        let name = known(place)
        let rest = text[place.endIndex...]
        if let (_, end) = PeerMessage.match(" should be", rest) {
            let fault = longest(of: demands, rest[end...].drop { $0 == " " })
            return ("\(name) should be \(fault?.text ?? "…")", fault?.end ?? end)
        }
        guard rest.hasPrefix(": ") else { return nil }
        let fault = longest(of: validations, rest.dropFirst(2))
        return ("\(name): \(fault?.text ?? "…")", fault?.end ?? rest.startIndex)
    }

    private static let demands = [
        "defined", "not present", "populated", "a string", "a number", "a boolean", "an object", "an array",
        "a valid uuid", "a valid URL", "a valid ISO 8601 date string", "≤ `#`", "≤ #", "≥ `#`", "≥ #",
    ]

    private static let validations = [
        "Field required", "Missing", "String should have at most # characters",
        "String should have at least # characters", "Input should be a valid string", "Input should be a valid integer",
        "Input should be a valid list", "Input should be a valid dictionary", "Input should be a valid URL",
        "Input should be a valid boolean", "Extra inputs are not permitted", "JSON decode error", "Value error",
    ]

    /// A place with `…` for each word that is no name of the protocols and no index.
    private static func known(_ place: Substring) -> String {
        var result = ""
        var rest = place
        while let first = rest.first {
            let word = rest.prefix(while: \.isPartOfWord)
            if word.isEmpty {
                result.append(first)
                rest.removeFirst()
                continue
            }
            let isIndex = word.utf8.count <= longestIndex && word.allSatisfy { $0.isASCII && $0.isNumber }
            result += isIndex || names.contains(word) ? word : "…"
            rest = rest[word.endIndex...]
        }
        return result
    }

    private static let longestIndex = 4

    private static let names: Set<Substring> = [
        "body", "query", "path", "header", "api_token", "database_id", "page_id", "note", "title", "content",
        "created_at",
        "labels", "images", "id", "s3_url", "filename", "username", "master_token", "modified_since", "limit",
        "upload_images", "parent", "children", "properties", "paragraph", "rich_text", "text", "length", "type", "url",
        "external", "file", "image", "name", "multi_select", "select", "date", "start", "end", "link", "object",
    ]

    // MARK: Properties

    /// `NAME is not a property that exists`: the name may be a label.
    private static func propertyFault(_ text: Substring) -> Part? {
        guard let fault = PropertyFault(beginning: text) else { return nil }
        return PeerMessage.match(fault.demand, text[fault.name.endIndex...]).map { (fault.kept, $0.end) }
    }
}
