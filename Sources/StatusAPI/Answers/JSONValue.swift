import NIOCore
import Support

/// A value of a JSON answer: keys in the order given, null where something is not set.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int)
    case string(String)
    case array([JSONValue])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package var key: String
        package var value: JSONValue
    }

    package static func string(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

    /// The text, in UTF-8.
    var buffer: ByteBuffer {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer
    }

    private func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeString("null")
        case .bool(let value): buffer.writeString(value ? "true" : "false")
        case .int(let value): buffer.writeString(String(value))
        case .string(let value): Self.write(value, to: &buffer)
        case .array(let values):
            buffer.writeString("[")
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.writeString(",") }
                value.write(to: &buffer)
            }
            buffer.writeString("]")
        case .object(let members):
            buffer.writeString("{")
            for (index, member) in members.enumerated() {
                if index > 0 { buffer.writeString(",") }
                Self.write(member.key, to: &buffer)
                buffer.writeString(":")
                member.value.write(to: &buffer)
            }
            buffer.writeString("}")
        }
    }

    private static func write(_ text: String, to buffer: inout ByteBuffer) {
        buffer.writeString("\"")
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": buffer.writeString("\\\"")
            case "\\": buffer.writeString("\\\\")
            case "\n": buffer.writeString("\\n")
            case "\r": buffer.writeString("\\r")
            case "\t": buffer.writeString("\\t")
            case "\0"..."\u{1F}", "\u{7F}", "\u{2028}", "\u{2029}",
                _ where scalar.isHiddenControl:
                let hexadecimal = String(scalar.value, radix: 16)
                buffer.writeString("\\u" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal)
            default: buffer.writeString(String(scalar))
            }
        }
        buffer.writeString("\"")
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { Member(key: $0, value: $1) })
    }

    package init(arrayLiteral elements: JSONValue...) {
        self = .array(elements)
    }

    package init(stringLiteral value: String) {
        self = .string(value)
    }
}
