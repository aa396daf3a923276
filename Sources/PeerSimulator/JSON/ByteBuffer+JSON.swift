import Foundation
import Hummingbird
import NIOCore

extension ByteBuffer {
    /// Appends a JSON string, quoted and escaped (RFC 8259), other than ASCII as UTF-8.
    mutating func writeJSON(_ text: String) {
        writeInteger(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            var start = 0
            for index in bytes.indices where bytes[index] < 0x20 || bytes[index] == 0x22 || bytes[index] == 0x5C {
                writeBytes(bytes[start..<index])
                writeEscaped(bytes[index])
                start = index + 1
            }
            writeBytes(bytes[start...])
        }
        writeInteger(UInt8(ascii: "\""))
    }

    private mutating func writeEscaped(_ byte: UInt8) {
        switch byte {
        case 0x22: writeStaticString("\\\"")
        case 0x5C: writeStaticString("\\\\")
        case 0x0A: writeStaticString("\\n")
        case 0x0D: writeStaticString("\\r")
        case 0x09: writeStaticString("\\t")
        default:
            let digits = String(byte, radix: 16)
            writeString("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
        }
    }

    /// Appends a JSON array of strings.
    mutating func writeJSON(_ texts: [String]) {
        writeInteger(UInt8(ascii: "["))
        for (index, text) in texts.enumerated() {
            if index > 0 { writeInteger(UInt8(ascii: ",")) }
            writeJSON(text)
        }
        writeInteger(UInt8(ascii: "]"))
    }

    /// A buffer with the JSON of a value, keys sorted.
    init(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        self.init(bytes: try encoder.encode(value))
    }

    /// The readable bytes as `Data`, for Foundation's decoders.
    var data: Data { withUnsafeReadableBytes { Data($0) } }
}
