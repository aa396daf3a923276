import Logging
import Telemetry

/// How the text of a variable becomes a value.
struct SettingType<Value: Sendable>: Sendable {
    /// The type in one or two words.
    let name: String
    /// What is allowed, as it ends the sentence "expected …".
    let allowed: String
    /// The value of a text without blanks at its ends, or nil if it cannot be understood.
    let parse: @Sendable (String) -> Value?
    /// A text that ``parse`` takes for the value.
    let format: @Sendable (Value) -> String
    /// Whether the text of a secret setting has anything in it that is to be hidden.
    var holdsSecret: @Sendable (String) -> Bool = { _ in true }

    /// The same type for a setting that may be absent.
    var optional: SettingType<Value?> {
        SettingType<Value?>(
            name: name,
            allowed: allowed,
            parse: { text in parse(text).map { .some($0) } },
            format: { $0.map(format) ?? "none" }
        )
    }
}

extension SettingType where Value == String {
    /// Any text.
    static func text(_ name: String, _ allowed: String) -> Self {
        Self(name: name, allowed: allowed, parse: { $0 }, format: { $0 })
    }

    /// A text that fulfils `condition`.
    static func text(_ name: String, _ allowed: String, where condition: @escaping @Sendable (String) -> Bool) -> Self {
        Self(name: name, allowed: allowed, parse: { condition($0) ? $0 : nil }, format: { $0 })
    }
}

extension SettingType where Value == Int {
    /// A whole number in `range`.
    static func integer(_ range: ClosedRange<Int>) -> Self {
        Self(
            name: "number",
            allowed: range.upperBound == .max
                ? "a whole number, \(range.lowerBound) or more"
                : "a whole number from \(range.lowerBound) to \(range.upperBound)",
            parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } },
            format: { String($0) }
        )
    }

    /// A number of bytes in `range`.
    static func bytes(_ range: ClosedRange<Int>) -> Self {
        Self(
            name: "size",
            allowed: "a number of bytes such as 65536, 512KiB, 64MiB or 8GiB, "
                + "from \(ByteCount.format(range.lowerBound)) to \(ByteCount.format(range.upperBound))",
            parse: { text in ByteCount.parse(text).flatMap { range.contains($0) ? $0 : nil } },
            format: ByteCount.format
        )
    }
}

extension SettingType where Value == Duration {
    /// A length of time in `range`.
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        Self(
            name: "duration",
            allowed: "a duration such as 500ms, 90s, 10min, 2h, 30d or a plain number of seconds, "
                + "from \(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))",
            parse: { text in DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil } },
            format: DurationText.format
        )
    }
}

extension SettingType where Value == Bool {
    /// True or false.
    static var flag: Self {
        Self(
            name: "flag",
            allowed: "true or false (also yes, no, on, off, 1, 0)",
            parse: { text in
                switch text.lowercased() {
                case "true", "yes", "on", "1": true
                case "false", "no", "off", "0": false
                default: nil
                }
            },
            format: { $0 ? "true" : "false" }
        )
    }
}

extension SettingType where Value: RawRepresentable<String> & CaseIterable {
    /// One of a few words, in upper or lower case.
    static var choice: Self {
        let words = Value.allCases.map(\.rawValue)
        return Self(
            name: words.count > 3 ? "word" : words.joined(separator: " or "),
            allowed: words.dropLast().joined(separator: ", ") + " or " + (words.last ?? ""),
            parse: { Value(rawValue: $0.lowercased()) },
            format: { $0.rawValue }
        )
    }
}

extension SettingType where Value == [String] {
    /// Any number of texts, separated by blanks, or by commas too.
    static func list(_ inner: SettingType<String>, commas: Bool = true) -> Self {
        Self(
            name: "\(inner.name) list",
            allowed: "\(inner.allowed); several separated by blanks\(commas ? " or commas" : "")",
            parse: { text in
                let parts = text.split { $0.isWhitespace || (commas && $0 == ",") }.map { inner.parse(String($0)) }
                let values = parts.compactMap(\.self)
                return values.count == parts.count ? values : nil
            },
            format: { $0.isEmpty ? "none" : $0.map(inner.format).joined(separator: " ") }
        )
    }
}

extension SettingType where Value == [Sensitive<String>] {
    /// Any number of secrets, separated by blanks.
    static func secrets(_ inner: SettingType<String>) -> Self {
        let list = SettingType<[String]>.list(inner, commas: false)
        return Self(
            name: list.name,
            allowed: list.allowed,
            parse: { list.parse($0)?.map { Sensitive($0) } },
            format: { list.format($0.map(\.value)) }
        )
    }
}

/// So many of something in a length of time.
public struct Rate: Sendable, Equatable {
    /// On average; 0: no limit.
    public var perSecond: Double

    public init(perSecond: Double) {
        self.perSecond = perSecond
    }
}

extension SettingType where Value == Rate {
    private static let units = [("s", 1.0), ("min", 60), ("m", 60), ("h", 3600)]

    /// A rate, or 0 for none.
    static var rate: Self {
        Self(
            name: "rate",
            allowed: "a rate such as 3/s, 120/min or 0.5/s, from 1/h to 10000/s, or 0 for none",
            parse: parse,
            format: { rate in
                let unit = units.first { (rate.perSecond * $0.1).rounded() == rate.perSecond * $0.1 } ?? ("s", 1)
                let count = rate.perSecond * unit.1
                if count == 0 { return "0" }
                return "\(count == count.rounded() ? String(Int(count)) : String(count))/\(unit.0)"
            }
        )
    }

    private static func parse(_ text: String) -> Rate? {
        if text == "0" { return Rate(perSecond: 0) }
        let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false).map(\.trimmingBlanks)
        guard parts.count == 2, let unit = units.first(where: { $0.0 == parts[1] }), let count = Double(parts[0]),
            parts[0].allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") })
        else { return nil }
        let perSecond = count / unit.1
        return perSecond == 0 || (1.0 / 3600...10_000).contains(perSecond) ? Rate(perSecond: perSecond) : nil
    }
}
