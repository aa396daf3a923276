internal import Foundation

/// A message of a peer, read as text that may hold what a user wrote.
enum PeerMessage {
    /// A message without the writer's own words before Notion's.
    static func withoutPrefix(_ message: String) -> Substring {
        for prefix in ["Failed to create Notion page:", "Failed to update Notion page:"] where message.hasPrefix(prefix)
        {
            return message.dropFirst(prefix.count).drop { $0.isWhitespace }
        }
        return message[...]
    }

    /// What ends a quotation that begins with a character; nil if none does. An apostrophe begins none, as in "can't".
    static func closingQuote(of opening: Character?) -> Character? {
        switch opening {
        case "\"": "\""
        case "`": "`"
        case "“", "„": "”"
        case "«": "»"
        default: nil
        }
    }

    /// A message with `…` in place of what it quotes. A quotation that does not end takes the rest with it.
    static func withoutQuotations(_ message: String) -> String {
        var result = ""
        var rest = message[...]
        while let character = rest.first {
            rest.removeFirst()
            let isApostrophe = character == "'" && !(result.last.map { $0.isLetter || $0.isNumber } ?? false)
            guard let closing = closingQuote(of: character) ?? (isApostrophe ? "'" : nil) else {
                result.append(character)
                continue
            }
            result += "…"
            guard let end = rest.firstIndex(of: closing) else { return result }
            rest = rest[rest.index(after: end)...]
        }
        return result
    }

    /// A message with the escapes of JSON, Python and addresses undone, so that what it repeats reads as it was
    /// written.
    static func unescaped(_ message: String) -> String {
        var bytes: [UInt8] = []
        let source = Array(message.utf8)
        var index = 0
        while index < source.count {
            if source[index] == UInt8(ascii: "\\"), index + 1 < source.count {
                index += unescape(source, at: index, into: &bytes)
            } else if source[index] == UInt8(ascii: "%"), let byte = number(source, index + 1, digits: 2) {
                bytes.append(UInt8(byte))
                index += 3
            } else {
                bytes.append(source[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// - Returns: the length of the escape.
    private static func unescape(_ source: [UInt8], at index: Int, into bytes: inout [UInt8]) -> Int {
        switch source[index + 1] {
        case UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            bytes.append(UInt8(ascii: " "))
            return 2
        case UInt8(ascii: "x"):
            guard let byte = number(source, index + 2, digits: 2) else { break }
            bytes.append(UInt8(byte))
            return 4
        case UInt8(ascii: "u"):
            guard let high = number(source, index + 2, digits: 4) else { break }
            var scalar = UInt32(high)
            var length = 6
            if (0xD800...0xDBFF).contains(high), index + 7 < source.count, source[index + 6] == UInt8(ascii: "\\"),
                let low = number(source, index + 8, digits: 4), (0xDC00...0xDFFF).contains(low)
            {
                scalar = 0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
                length = 12
            }
            bytes += String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8
            return length
        default: break
        }
        bytes.append(source[index + 1])
        return 2
    }

    private static func number(_ source: [UInt8], _ start: Int, digits: Int) -> Int? {
        guard start + digits <= source.count else { return nil }
        let text = source[start..<start + digits]
        guard text.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
        return Int(String(decoding: text, as: UTF8.self), radix: 16)
    }
}
