internal import Foundation

/// What a failed call of the Notion Writer means.
enum NotionFault: Sendable, Equatable {
    /// The user's token is bad: no more calls for this user.
    case tokenInvalid
    /// The database is gone or not shared: no more calls for this user.
    case databaseGone
    /// The page was deleted or is no longer shared.
    case pageGone
    /// The user put the page in the trash.
    case pageTrashed
    /// Wait and try again; spends nothing.
    case throttled(retryAfter: Duration?)
    /// Somebody else changed the page at the same moment; nothing was written.
    case conflict
    /// This note can't be written as it is.
    case rejected
    /// The address is not that of a Notion Writer, or something in front of it has answered, which may pass. Nothing
    /// was written.
    case wrongEndpoint
    /// Nothing was sent.
    case unreachable
    /// Nothing was sent, as this machine's limit of open files is reached.
    case tooManyOpenFiles
    /// It may or may not have been written.
    case ambiguous(retryAfter: Duration? = nil)
    /// The request was given up before it was sent: the lease ran out, its time passed or the process ends.
    case aborted
}

extension NotionFault {
    /// Notion's fixed sentences, as a message begins with them. The writer wraps every error of Notion in a 500; only
    /// its text tells what it was, and a word somewhere in it proves nothing: it may be the user's.
    ///
    /// Source: the writer's and Notion's source; contract 3.
    private static let sentences: [(text: String, fault: NotionFault)] = [
        ("body failed validation", .rejected),
        ("path failed validation: path.database_id", .databaseGone),
        ("path failed validation", .rejected),
        ("Could not find property with name or id", .rejected),
        ("Invalid multi_select option, commas not allowed", .rejected),
        ("API token is invalid", .tokenInvalid),
        ("Unauthorized", .tokenInvalid),
        ("Could not find database with ID", .databaseGone),
        ("Could not find page with ID", .pageGone),
        ("Could not find block with ID", .pageGone),
        ("Can't edit block that is archived", .pageTrashed),
        ("Can't edit page on block with an archived ancestor", .pageTrashed),
        ("Can't update a page that is archived", .pageTrashed),
        ("You have been rate limited", .throttled(retryAfter: nil)),
        ("Request to Notion API failed with status: 429", .throttled(retryAfter: nil)),
        ("Conflict occurred while saving", .conflict),
    ]

    /// Classifies an answer with an error status.
    ///
    /// - Parameters:
    ///   - creates: whether the call was to create a page. What is gone or in the trash is then the database.
    ///   - isExplained: whether the answer has the form of the writer's own.
    ///   - words: what the note says, which a message may quote: it decides nothing.
    init(
        status: Int,
        message: String,
        retryAfter: Duration?,
        creates: Bool,
        isExplained: Bool = true,
        words: NoteWords = .none
    ) {
        switch status {
        case 422: self = .rejected
        case 429, 529: self = .throttled(retryAfter: retryAfter)
        case 300..<400: self = .wrongEndpoint
        default:
            switch Self.fault(of: PeerMessage.withoutPrefix(message), words: words) {
            case .throttled: self = .throttled(retryAfter: retryAfter)
            case .pageTrashed where creates, .pageGone where creates: self = .databaseGone
            case .some(let fault): self = fault
            case nil: self = Self.byStatus(status, retryAfter, isExplained)
            }
        }
    }

    private static func byStatus(_ status: Int, _ retryAfter: Duration?, _ isExplained: Bool) -> NotionFault {
        switch status {
        case 401, 403, 404, 405: .wrongEndpoint
        case 408: .ambiguous(retryAfter: retryAfter)
        case 409: .conflict
        // No one who sends it in pieces.
        case 413: .rejected
        // Whoever stands in front of the writer says nothing of the note, and what is remembered as refused is never
        // sent again.
        case 400..<500: isExplained ? .rejected : .wrongEndpoint
        default: .ambiguous(retryAfter: retryAfter)
        }
    }

    private static func fault(of message: Substring, words: NoteWords) -> NotionFault? {
        if let fault = fault(ofSentence: message, words) { return fault }
        let text = words.leaving(message)
        return isValidation(text, words) ? .rejected : fault(ofSentence: text, words)
    }

    /// A sentence of Notion's that begins with a word of the note is Notion's.
    ///
    /// Where the note has it whole, the message may be Notion's or begin with a quotation. What follows decides: a
    /// sentence that goes on as Notion's does, and as the note does not, is Notion's. Where nothing follows nobody can
    /// tell them apart.
    private static func fault(ofSentence message: Substring, _ words: NoteWords) -> NotionFault? {
        for sentence in sentences {
            guard let end = PeerMessage.matchWhole(sentence.text, message)?.end else { continue }
            guard words.contain(message[..<end]) else { return sentence.fault }
            guard let end = endOfContinuation(message, after: end) else { return nil }
            return words.contain(message[..<end]) ? nil : sentence.fault
        }
        return nil
    }

    /// How Notion goes on after its sentences.
    private static let continuations = [
        ". Fix one: body", ": body.", ": path.", ". You must unarchive the", ". Please try again",
        ". Make sure the relevant pages and databases are shared with your integration",
    ]

    /// Where what Notion says after a sentence ends; an identifier may stand between the two.
    private static func endOfContinuation(_ message: Substring, after end: String.Index) -> String.Index? {
        var rest = message[end...]
        if let colon = PeerMessage.match(": ", rest) {
            let id = rest[colon.end...].prefix { $0.isHexDigit || $0 == "-" }
            if (32...36).contains(id.count) { rest = rest[id.endIndex...] }
        }
        return continuations.lazy.compactMap { PeerMessage.match($0, rest)?.end }.first
    }

    /// A fault of the database's properties, with a name of the user's before it, and `body.children[0]… should be …`,
    /// with a place in the request before it.
    private static func isValidation(_ text: Substring, _ words: NoteWords) -> Bool {
        if let fault = PropertyFault(beginning: text) {
            return !words.contain(text[fault.name.endIndex...].prefix(fault.demand.count))
        }
        guard let place = PeerMessage.place(beginning: text), place.prefix(4).lowercased() == "body",
            let demand = PeerMessage.match(" should be ", text[place.endIndex...])
        else { return false }
        return !words.contain(text[..<demand.end])
    }

    /// Whether a message of a refusal is about a property of the database, and not about the note.
    static func blamesProperty(_ message: String, _ words: NoteWords) -> Bool {
        let text = PeerMessage.withoutPrefix(message)
        return PeerMessage.match("Could not find property with name or id", text) != nil
            || PeerMessage.match("body failed validation", text) == nil
                && [text, words.leaving(text)].contains { PropertyFault(beginning: $0) != nil }
    }

    static var sentenceTexts: [String] { sentences.map(\.text) }
}

/// What a note says, in the pieces that a message of a peer may begin with.
struct NoteWords: Sendable {
    static let none = NoteWords(pieces: [])

    private let pieces: [Substring]

    private init(pieces: [Substring]) {
        self.pieces = pieces
    }

    /// A shorter piece would take the beginning of any message away.
    private static let shortest = 4

    init(_ note: NotionNote) {
        let content = note.content.split(whereSeparator: \.isNewline)
        let all = [note.title[...]] + note.labels.map { $0[...] } + note.images.map { $0.filename[...] } + content
        pieces = all.filter { $0.utf8.count >= Self.shortest }
    }

    /// Whether the note has a text as it is written, be it within a line.
    func contain(_ text: Substring) -> Bool { pieces.contains { $0.utf8.firstRange(of: text.utf8) != nil } }

    /// How many characters a message and a piece of the note have in common at their beginnings, at most.
    private func longestBeginning(of message: Substring) -> Int {
        pieces.lazy.map { zip($0, message).prefix { $0 == $1 }.count }.max() ?? 0
    }

    /// Characters at the beginning of a piece that are taken for a quotation of it, cut off.
    private static let shortestQuotation = 20

    /// A message without the quoted parts and the pieces of the note that it begins with.
    func leaving(_ message: Substring) -> Substring {
        var rest = message.drop { $0.isWhitespace }
        while true {
            if let closing = PeerMessage.closingQuote(of: rest.first),
                let end = rest.dropFirst().firstIndex(of: closing)
            {
                rest = rest[rest.index(after: end)...].drop { $0.isWhitespace }
                continue
            }
            let longest = pieces.lazy.filter { rest.starts(with: $0) && Self.ends($0, in: rest) }
                .max { $0.utf8.count < $1.utf8.count }
            guard let longest else {
                let quoted = longestBeginning(of: rest)
                guard quoted >= Self.shortestQuotation else { return rest }
                rest = rest.dropFirst(quoted).drop { $0.isWhitespace }
                continue
            }
            rest = rest.dropFirst(longest.count).drop { $0.isWhitespace }
        }
    }

    /// Whether a piece at the beginning of a text is whole words of it.
    private static func ends(_ piece: Substring, in text: Substring) -> Bool {
        guard let next = text.dropFirst(piece.count).first else { return true }
        return !(next.isLetter || next.isNumber)
    }
}
