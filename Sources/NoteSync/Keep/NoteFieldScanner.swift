internal import Foundation

/// Finds the texts of a few fields of a note, fed byte by byte with the note's JSON from its first brace on, without
/// decoding it.
struct NoteFieldScanner {
    private let fields: [[UInt8]]
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isKey = false
    /// The text being read at the note's own level, without its quotation marks.
    private var current: [UInt8] = []
    private var key: [UInt8] = []
    private var found: [[UInt8]: [UInt8]] = [:]

    /// Longer than any id that can be stored, however it is written: 255 characters of two escapes each.
    private static let longestText = 255 * 12

    init(fields: [String]) {
        self.fields = fields.map { Array($0.utf8) }
    }

    mutating func take(_ byte: UInt8) {
        if isInString { return takeInString(byte) }
        switch byte {
        case UInt8(ascii: "\""):
            isInString = true
            current = []
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            isKey = depth == 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        case UInt8(ascii: ",") where depth == 1: isKey = true
        case UInt8(ascii: ":") where depth == 1: isKey = false
        default: break
        }
    }

    private mutating func takeInString(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            isInString = false
            guard depth == 1 else { return }
            if isKey {
                let hasEscapes = current.contains(UInt8(ascii: "\\"))
                key = hasEscapes ? Self.decoded(current).map { Array($0.utf8) } ?? [] : current
            } else if fields.contains(key) {
                found[key] = current
            }
            return
        }
        if depth == 1, isKey || fields.contains(key), current.count <= Self.longestText { current.append(byte) }
    }

    /// The text as it stands in the JSON, escapes and all; the last one where a field is there twice, as a decoder
    /// takes it.
    func written(_ field: String) -> [UInt8]? { found[Array(field.utf8)] }

    /// The decoded text of a field; nil if there is none, or it is no text or too long.
    func text(of field: String) -> String? {
        guard let written = written(field), written.count <= Self.longestText else { return nil }
        return Self.decoded(written)
    }

    /// What can't be decoded is no text.
    private static func decoded(_ written: [UInt8]) -> String? {
        let json = Data([UInt8(ascii: "\"")] + written + [UInt8(ascii: "\"")])
        return try? JSONDecoder().decode(String.self, from: LoneSurrogates.replaced(in: json) ?? json)
    }
}
