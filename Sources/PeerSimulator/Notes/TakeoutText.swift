import Foundation

/// The bytes of a file of an export as JSON that a decoder reads.
struct TakeoutText {
    enum Encoding: Equatable {
        case unicode
        /// No UTF, and so read as what Windows in the West writes, and Latin-1 in it.
        case windows1252
        /// UTF-8 with bytes in it that are none, for which U+FFFD stands.
        case damagedUTF8
    }

    /// UTF-8 without a byte order mark, whichever encoding the tool that wrote it took, with U+FFFD for halves of
    /// surrogate pairs, and with the numbers that a decoder would round as texts.
    let json: Data
    let encoding: Encoding

    init(_ data: Data) {
        let bytes = Array(data)
        let decoded = Self.decode(bytes)
        encoding = decoded.encoding
        json = Data(Self.withExactNumbers(Array(Self.withoutLoneEscapes(decoded.text).utf8)))
    }

    private static func decode(_ bytes: [UInt8]) -> (text: String, encoding: Encoding) {
        // JSON begins with an ASCII character.
        let zeros = bytes.prefix(4).map { $0 == 0 }
        if bytes.starts(with: [0xFF, 0xFE, 0, 0]) || zeros == [false, true, true, true] {
            return (utf32(bytes, isLittleEndian: true), .unicode)
        } else if bytes.starts(with: [0, 0, 0xFE, 0xFF]) || zeros == [true, true, true, false] {
            return (utf32(bytes, isLittleEndian: false), .unicode)
        } else if bytes.starts(with: [0xFF, 0xFE]) {
            return (utf16(bytes.dropFirst(2), isLittleEndian: true), .unicode)
        } else if bytes.starts(with: [0xFE, 0xFF]) {
            return (utf16(bytes.dropFirst(2), isLittleEndian: false), .unicode)
        } else if bytes.count > 1, zeros[0] || zeros[1] {
            return (utf16(bytes[...], isLittleEndian: zeros[1]), .unicode)
        }
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        if let text = String(validating: content, as: UTF8.self) { return (text, .unicode) }
        return eightBit(content, hasMark: content.startIndex > 0)
    }

    /// One broken character in a text of umlauts is no reason to spoil them all.
    private static func eightBit(_ bytes: ArraySlice<UInt8>, hasMark: Bool) -> (text: String, encoding: Encoding) {
        let text = String(decoding: bytes, as: UTF8.self)
        var (broken, whole) = (0, 0)
        for scalar in text.unicodeScalars where !scalar.isASCII {
            if scalar == "\u{FFFD}" { broken += 1 } else { whole += 1 }
        }
        if hasMark || whole >= broken { return (text, .damagedUTF8) }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: bytes.lazy.map(Windows1252.scalar))
        return (String(view), .windows1252)
    }

    private static func utf32(_ bytes: [UInt8], isLittleEndian: Bool) -> String {
        var view = String.UnicodeScalarView()
        for index in stride(from: 0, to: bytes.count, by: 4) {
            let unit = bytes[index..<min(index + 4, bytes.count)]
            let value = (isLittleEndian ? Array(unit.reversed()) : Array(unit)).reduce(UInt32(0)) {
                $0 << 8 | UInt32($1)
            }
            if value != 0xFEFF || index > 0 { view.append(Unicode.Scalar(value) ?? "\u{FFFD}") }
        }
        return String(view)
    }

    private static func utf16(_ bytes: ArraySlice<UInt8>, isLittleEndian: Bool) -> String {
        let units = stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2).map { index in
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            return isLittleEndian ? first | second << 8 : first << 8 | second
        }
        return String(decoding: units, as: UTF16.self)
    }

    private static func withoutLoneEscapes(_ text: String) -> String {
        let escape =
            #/\\\\|\\u([dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}/#
        guard text.contains("\\u") else { return text }
        return text.replacing(escape) { match in
            let isPairOrBackslash = match.output.1 != nil || match.output.0 == #"\\"#
            return isPairOrBackslash ? String(match.output.0) : #"\ufffd"#
        }
    }

    /// A number as a text is the text that was written: 19.90 keeps its zero and a long one its digits.
    private static func withExactNumbers(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 16)
        var index = 0
        var isInText = false
        while index < bytes.count {
            let byte = bytes[index]
            guard !isInText, byte == UInt8(ascii: "-") || isDigit(byte) else {
                if isInText, byte == UInt8(ascii: "\\"), index + 1 < bytes.count {
                    result.append(byte)
                    index += 1
                } else if byte == UInt8(ascii: "\"") {
                    isInText.toggle()
                }
                result.append(bytes[index])
                index += 1
                continue
            }
            let end = bytes[index...].firstIndex { !isDigit($0) && !"+-.eE".utf8.contains($0) } ?? bytes.count
            let number = bytes[index..<end]
            let isPlain = number.count <= 18 && number.dropFirst().allSatisfy(isDigit)
            result += isPlain ? Array(number) : [UInt8(ascii: "\"")] + number + [UInt8(ascii: "\"")]
            index = end
        }
        return result
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

/// The encoding of Windows in the West: Latin-1, with characters where that has controls.
enum Windows1252 {
    static func scalar(_ byte: UInt8) -> Unicode.Scalar {
        (0x80..<0xA0).contains(byte) ? upper[Int(byte) - 0x80] : Unicode.Scalar(byte)
    }

    private static let upper = Array("€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ".unicodeScalars)
}
