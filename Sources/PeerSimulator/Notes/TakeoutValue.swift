import Foundation

/// Values of an export in the forms that Google and its users' tools give them.
extension JSONValue {
    var isNull: Bool { self == .null }

    /// A text, or a number as text.
    var text: String? {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        default: nil
        }
    }

    var truth: Bool? {
        switch self {
        case .bool(let value): value
        case .string(let text): Bool(text.trimmingSpaces.lowercased()) ?? Double(text.trimmingSpaces).map { $0 != 0 }
        case .integer(let number): number != 0
        default: nil
        }
    }

    /// The elements of a list; anything else that is there counts as a list of one.
    var elements: [JSONValue] {
        switch self {
        case .array(let elements): elements
        case .null: []
        default: [self]
        }
    }

    /// A moment from 1973 to 2099, in microseconds since 1970: as a number of any unit, as one in a text, or as an
    /// ISO 8601 time.
    var moment: Int64? {
        switch self {
        case .integer(let number): Self.moment(Double(number)) { Int64(number) * $0 }
        case .string(let text):
            if let number = Int(text.trimmingSpaces) {
                JSONValue.integer(number).moment
            } else if let number = Double(text.trimmingSpaces) {
                Self.moment(number) { Int64((number * Double($0)).rounded()) }
            } else {
                (KeepTimestamp.parse(text.trimmingSpaces.uppercased())?.timestamp.microseconds).flatMap {
                    (100_000_000_000_000..<4_102_444_800_000_000).contains($0) ? $0 : nil
                }
            }
        default: nil
        }
    }

    /// Between 1973 and 2099 no number of one unit is one of another.
    private static func moment(_ number: Double, times: (Int64) -> Int64) -> Int64? {
        let unit = [1.0, 1e3, 1e6, 1e9].first { (1e8 * $0..<4_102_444_800 * $0).contains(number) }
        switch unit {
        case 1: return times(1_000_000)
        case 1e3: return times(1_000)
        case 1e6: return times(1)
        case 1e9: return Int64(number / 1_000)
        default: return nil
        }
    }
}
