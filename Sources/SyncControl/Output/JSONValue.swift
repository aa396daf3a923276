import Foundation
import Support

/// A value of a JSON answer, written with sorted keys and with null where something is not set.
enum JSONValue: Encodable, Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    static func string(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

    /// A time in UTC, `2026-01-02T03:04:05.678Z`.
    static func time(_ date: Date?) -> JSONValue { .string(date.map(TimeText.precise)) }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .int(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// The text: on one line, or spread out for people.
    func text(isSpread: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if isSpread { encoder.outputFormatting.insert(.prettyPrinted) }
        // In JSON they only stand in strings.
        return String(decoding: try encoder.encode(self), as: UTF8.self).withHiddenControlsAsJSONEscapes
    }

    /// Prints the value on stdout: on one line, unless a person looks at it.
    func print() throws {
        try StandardStream.output.line(try text(isSpread: StandardStream.output.isTerminal))
    }

    /// Prints the value as the report of a change.
    ///
    /// - Parameter words: the change in words, for stderr where stdout takes nothing.
    func report(inWords words: String) throws {
        try StandardStream.report(try text(isSpread: StandardStream.output.isTerminal), inWords: words)
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByStringLiteral {
    init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }

    init(stringLiteral value: String) {
        self = .string(value)
    }
}
