internal import Foundation
internal import Telemetry

extension SyncRun {
    /// The message of a failed call made fit for logs and tables: no secret, bounded; of what the peer said nothing
    /// that it quotes and no text of the note.
    func clean(_ failure: NotionWriterClient.Failure, of note: KeepNote) -> String {
        let sanitizer = PeerMessageSanitizer(secrets: [credentials.googleToken, credentials.notionToken], note: note)
        return failure.quotesPeer
            ? sanitizer.sanitize(failure.message) : sanitizer.redacted(failure.message, limit: Self.longestOwnMessage)
    }

    /// Longest message in words of ours, in characters: an address and an advice have room.
    private static let longestOwnMessage = 1000
}

/// Takes out of a peer's message what must not be stored: the writer repeats what it was sent, whole or in part, quoted
/// or not, and escaped in one way or another.
struct PeerMessageSanitizer: Sendable {
    private let redactor: Redactor
    private let note: KeepNote?

    /// Longest message stored, in characters.
    static let limit = 240
    /// Longest message that is looked through, in bytes.
    private static let longestMessage = 16_384

    init(secrets: [String], note: KeepNote?) {
        redactor = Redactor(secrets: secrets.filter { $0.count >= Self.shortestSecret })
        self.note = note
    }

    private static let shortestSecret = 6

    /// A message of our own without secrets.
    func redacted(_ message: String, limit: Int) -> String { redactor.sanitize(message, limit: limit) }

    func sanitize(_ message: String) -> String {
        guard message.utf8.count <= Self.longestMessage else {
            return "an explanation of \(message.utf8.count) bytes, too long to be repeated"
        }
        let unescaped = PeerMessage.unescaped(redactor.redact(message))
        var text = PeerMessage.withoutQuotations(redactor.redact(unescaped))
        if let note { text = NoteTextMask(text).masked(by: note) }
        return redactor.sanitize(text, limit: Self.limit)
    }
}

/// Masks what a message has in common with a note: every run of eight bytes that stands in the note too, and its short
/// title, labels and file names where they stand as words.
struct NoteTextMask {
    private let bytes: [UInt8]
    /// The message with ASCII letters in lower case and white space as one space.
    private let folded: [UInt8]
    private var isMasked: [Bool]

    static let runLength = 8

    init(_ message: String) {
        bytes = Array(message.utf8)
        folded = bytes.map(Self.fold)
        isMasked = Array(repeating: false, count: bytes.count)
    }

    func masked(by note: KeepNote) -> String {
        var copy = self
        let fields = [note.title] + note.labels + note.images.flatMap { [$0.filename, $0.id] }
        copy.maskRuns(fields + [note.content])
        copy.maskWords(fields.map { $0[...] } + note.content.split(whereSeparator: \.isNewline))
        return copy.result
    }

    private static func fold(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte + 32
        case 9...13: 32
        default: byte
        }
    }

    /// One pass over the note, however long it is, against the runs of the message, which is short.
    private mutating func maskRuns(_ texts: [String]) {
        guard folded.count >= Self.runLength else { return }
        var places: [UInt64: [Int]] = [:]
        for place in 0...(folded.count - Self.runLength) {
            places[Self.run(folded[place..<place + Self.runLength]), default: []].append(place)
        }
        for text in texts {
            var window: UInt64 = 0
            var length = 0
            for byte in text.utf8 {
                window = window << 8 | UInt64(Self.fold(byte))
                length += 1
                guard length >= Self.runLength, let found = places[window] else { continue }
                for place in found { for index in place..<place + Self.runLength { isMasked[index] = true } }
            }
        }
    }

    private static func run(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    /// Masks short texts where they stand by themselves.
    private mutating func maskWords(_ texts: [Substring]) {
        let lengths = Self.shortestWord..<Self.runLength
        var places: [UInt64: [Range<Int>]] = [:]
        for start in folded.indices where start == 0 || !Self.isPartOfWord(folded[start - 1]) {
            for end in lengths.map({ start + $0 }) where end <= folded.count {
                if end < folded.count, Self.isPartOfWord(folded[end]) { continue }
                // At most seven bytes, none of them 0 in a text worth masking: no two words have the same number.
                places[Self.run(folded[start..<end]), default: []].append(start..<end)
            }
        }
        for text in texts where lengths.contains(text.utf8.count) {
            for place in places[Self.run(text.utf8.map(Self.fold)[...])] ?? [] {
                for index in place { isMasked[index] = true }
            }
        }
    }

    /// Shorter words stand in any message.
    private static let shortestWord = 3

    private static func isPartOfWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber
    }

    /// Notion's fixed sentence at the beginning stays: it says nothing of the note that has the same words in it.
    private var result: String {
        let message = String(decoding: bytes, as: UTF8.self)
        var kept: [UInt8] = []
        let fixed = Self.fixedBeginning(message)
        var index = fixed
        kept += bytes[..<fixed]
        while index < bytes.count {
            guard isMasked[index] else {
                kept.append(bytes[index])
                index += 1
                continue
            }
            kept += "…".utf8
            while index < bytes.count, isMasked[index] { index += 1 }
        }
        return String(decoding: kept, as: UTF8.self)
    }

    /// Bytes of the product's own sentence and of Notion's after it.
    private static func fixedBeginning(_ message: String) -> Int {
        var rest = message[...]
        if rest.hasPrefix(ownSentence), let colon = rest.firstIndex(of: ":") {
            rest = rest[rest.index(after: colon)...].drop { $0 == " " }
        }
        let inner = PeerMessage.withoutPrefix(String(rest))
        rest = rest.dropFirst(rest.count - inner.count)
        if let sentence = NotionFault.sentence(beginning: rest) { rest = rest.dropFirst(sentence.count) }
        return message.utf8.count - rest.utf8.count
    }

    private static let ownSentence = "The Notion Writer "
}
