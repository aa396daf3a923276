internal import Support

/// JSON strings, written byte by byte.
enum JSONText {
    /// `text` as it stands between the quotes of a JSON string. U+2028 and U+2029 are escaped too, since some readers
    /// of logs take them for line ends, and bidirectional controls, as people read logs.
    static func escaped(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        append(text, to: &result)
        return result
    }

    /// Appends `text` as a JSON string with its quotes.
    static func appendString(_ text: String, to result: inout [UInt8]) {
        result.append(UInt8(ascii: "\""))
        append(text, to: &result)
        result.append(UInt8(ascii: "\""))
    }

    private static func append(_ text: String, to result: inout [UInt8]) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\"".utf8
            case "\\": result += "\\\\".utf8
            case "\n": result += "\\n".utf8
            case "\r": result += "\\r".utf8
            case "\t": result += "\\t".utf8
            case "\u{8}": result += "\\b".utf8
            case "\u{C}": result += "\\f".utf8
            case "\0"..."\u{1F}", "\u{7F}",
                _ where scalar.isHiddenControl:
                let hexadecimal = String(scalar.value, radix: 16)
                result += "\\u\(String(repeating: "0", count: 4 - hexadecimal.count))\(hexadecimal)".utf8
            default: result += UTF8.encode(scalar)!
            }
        }
    }
}
