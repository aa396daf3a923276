internal import Foundation

/// Halves of surrogate pairs in JSON: as an escape without its other half, or in the bytes that UTF-8 would have for
/// them.
enum LoneSurrogates {
    private static let replacement = Array("\\ufffd".utf8)

    /// JSON with U+FFFD in place of each; nil if there is none.
    static func replaced(in json: Data) -> Data? {
        var bytes = Array(json)
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0xED, index + 2 < bytes.count, (0xA0...0xBF).contains(bytes[index + 1]) {
                bytes.replaceSubrange(index..<index + 3, with: [0xEF, 0xBF, 0xBD])
                index += 3
                continue
            }
            guard bytes[index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            guard let unit = unit(bytes, at: index) else {
                index += 2
                continue
            }
            switch unit {
            case 0xD800...0xDBFF:
                if let low = self.unit(bytes, at: index + 6), (0xDC00...0xDFFF).contains(low) {
                    index += 12
                    continue
                }
                bytes.replaceSubrange(index..<index + 6, with: replacement)
            case 0xDC00...0xDFFF: bytes.replaceSubrange(index..<index + 6, with: replacement)
            default: break
            }
            index += 6
        }
        return bytes.elementsEqual(json) ? nil : Data(bytes)
    }

    /// The code unit of an escape `\uXXXX` at a place; nil if there is none.
    private static func unit(_ bytes: [UInt8], at index: Int) -> UInt16? {
        guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
            return nil
        }
        return UInt16(String(decoding: bytes[index + 2..<index + 6], as: UTF8.self), radix: 16)
    }
}
