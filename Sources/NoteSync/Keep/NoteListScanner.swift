/// Finds the notes in the JSON text `{"notes":[…],"count":N}` without reading any of them: where each begins and ends.
///
/// Fed piece by piece, it needs no more memory than a few numbers. It tells a list that is whole from one that was cut
/// off; what stands inside a note is for the decoder of that note.
struct NoteListScanner {
    enum Event: Equatable {
        /// A note: its bytes, counted from the start of the text.
        case note(Range<Int>)
    }

    enum Failure: Error, Equatable {
        /// The text ended before the list did.
        case truncated
        /// More notes than are taken.
        case tooMany(Int)
        /// Not an object with a list `notes`; says what is in the way.
        case unexpected(String, offset: Int)
    }

    private enum Place: Equatable {
        case start, beforeKey, key, afterKey, value, afterValue, list, afterNote, end
    }

    private var place = Place.start
    private var offset = 0
    /// The key being read or just read, of the outer object.
    private var key: [UInt8] = []
    private var isInString = false
    private var isEscaped = false
    private var depth = 0
    private var began = 0
    private var expectsAnother = false
    private(set) var foundList = false
    private(set) var count: Int?
    private var scalar: [UInt8] = []
    /// A hash of each note's id (`IdentifierHash.of`); 0 for a note without one, `IdentifierHash.escaped` for one that
    /// has to be decoded first.
    private(set) var identifiers: [UInt64] = []
    private var identifier = IdentifierHash()

    private static let longestKey = 64

    /// Takes the next bytes and tells each note that ends in them.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ found: (Range<Int>) -> Void) throws(Failure) {
        var index = 0
        while index < bytes.count {
            try take(bytes[index], found)
            index += 1
            offset += 1
            guard isInPlainText else { continue }
            let end = bytes[index...].firstIndex { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") } ?? bytes.count
            offset += end - index
            index = end
        }
    }

    /// - Throws: `truncated` if the text is not whole.
    func finish() throws(Failure) {
        guard place == .end else { throw .truncated }
        guard foundList else { throw .unexpected("there is no list \"notes\"", offset: offset) }
    }

    private mutating func take(_ byte: UInt8, _ found: (Range<Int>) -> Void) throws(Failure) {
        switch place {
        case .key:
            try takeKey(byte)
        case .value where depth > 0 || isInString, .list where depth > 0 || isInString:
            if depth == 1, place == .list { identifier.take(byte, isInString: isInString, isEscaped: isEscaped) }
            takeNested(byte)
            if depth == 0, !isInString { ended(found) }
        case .value where !scalar.isEmpty && !Self.endsScalar(byte):
            if scalar.count < Self.longestKey { scalar.append(byte) }
        default:
            guard !Self.isSpace(byte) else { return endScalar() }
            try takeStructure(byte, found)
        }
    }

    /// Within a string of which nothing counts but its end: most of what there is, so it is passed over.
    private var isInPlainText: Bool {
        isInString && !isEscaped && !(place == .list && depth == 1 && identifier.readsText)
    }

    /// Inside a string, an object or a list: only what can end it matters.
    private mutating func takeNested(_ byte: UInt8) {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
            }
            return
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
    }

    private mutating func takeKey(_ byte: UInt8) throws(Failure) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            place = .afterKey
            return
        }
        guard key.count < Self.longestKey else { return }
        key.append(byte)
    }

    private mutating func takeStructure(_ byte: UInt8, _ found: (Range<Int>) -> Void) throws(Failure) {
        endScalar()
        switch (place, byte) {
        case (.start, UInt8(ascii: "{")):
            place = .beforeKey
        case (.beforeKey, UInt8(ascii: "\"")):
            key = []
            place = .key
        case (.beforeKey, UInt8(ascii: "}")) where !expectsAnother, (.afterValue, UInt8(ascii: "}")):
            place = .end
        case (.afterKey, UInt8(ascii: ":")):
            place = .value
        case (.value, UInt8(ascii: "[")) where key.elementsEqual("notes".utf8):
            foundList = true
            expectsAnother = false
            place = .list
        case (.value, _) where key.elementsEqual("notes".utf8):
            throw .unexpected("\"notes\" is not a list", offset: offset)
        case (.value, _):
            beginValue(byte)
        case (.afterValue, UInt8(ascii: ",")):
            expectsAnother = true
            place = .beforeKey
        case (.list, UInt8(ascii: "]")) where !expectsAnother, (.afterNote, UInt8(ascii: "]")):
            expectsAnother = false
            place = .afterValue
        case (.list, UInt8(ascii: "{")):
            began = offset
            depth = 1
            identifier = IdentifierHash()
        case (.list, _):
            throw .unexpected("an element of \"notes\" is not an object", offset: offset)
        case (.afterNote, UInt8(ascii: ",")):
            expectsAnother = true
            place = .list
        default:
            throw .unexpected("unexpected character", offset: offset)
        }
    }

    private mutating func beginValue(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth = 1
        default: scalar = [byte]
        }
    }

    private mutating func ended(_ found: (Range<Int>) -> Void) {
        if place == .list {
            found(began..<offset + 1)
            identifiers.append(identifier.value)
            place = .afterNote
        } else {
            place = .afterValue
        }
    }

    private mutating func endScalar() {
        guard place == .value, !scalar.isEmpty else { return }
        if key.elementsEqual("count".utf8) { count = Int(String(decoding: scalar, as: UTF8.self)) }
        scalar = []
        place = .afterValue
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private static func endsScalar(_ byte: UInt8) -> Bool {
        isSpace(byte) || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}")
    }
}

/// Hashes the text of the field `id` of a note, fed with the bytes at the note's own level.
struct IdentifierHash {
    /// Stands for an id of which the JSON has escapes: `"e1"` may be written `"\u00651"`.
    static let escaped: UInt64 = 1

    /// The hash of an id that has been decoded.
    static func of(_ id: String) -> UInt64 { id.utf8.reduce(start) { next($0, $1) } }

    private static let start: UInt64 = 0xCBF2_9CE4_8422_2325

    private static func next(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }

    /// 0 until there is one.
    var value: UInt64 { hasEscapes ? Self.escaped : hash }

    private var hash: UInt64 = 0
    /// In the id, or in a key, which then may be `id`.
    private var hasEscapes = false
    private var isKey = true
    /// Bytes of the key so far, at most three; `id` is two.
    private var keyLength = 0
    private var keyBytes: UInt16 = 0
    private var isIdentifier = false

    /// Whether the text of strings counts.
    fileprivate var readsText: Bool { isKey || isIdentifier }

    fileprivate mutating func take(_ byte: UInt8, isInString: Bool, isEscaped: Bool) {
        if isInString {
            if byte == UInt8(ascii: "\""), !isEscaped { return }
            if readsText, byte == UInt8(ascii: "\\") { hasEscapes = true }
            if isKey {
                if keyLength < 2 { keyBytes = keyBytes << 8 | UInt16(byte) }
                keyLength += 1
            } else if isIdentifier {
                hash = Self.next(hash, byte)
            }
            return
        }
        switch byte {
        case UInt8(ascii: ":"):
            isKey = false
            isIdentifier = keyLength == 2 && keyBytes == 0x6964
            if isIdentifier { hash = Self.start }
        case UInt8(ascii: ","):
            isKey = true
            keyLength = 0
            keyBytes = 0
        default: break
        }
    }
}
