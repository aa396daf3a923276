import ArgumentParser
import Foundation
import Settings

/// When a job is to become due, as the argument of `--at`.
enum DueTime: Equatable, Sendable {
    case at(Date)
    /// From now on, by the database's clock.
    case after(Duration)

    /// Reads an ISO 8601 time, without an offset in UTC (`2026-01-02`, `2026-01-02T03:04`, `2026-01-02
    /// 03:04:05+02:00`), or a time from now (`+90s`, `+10m`, `+2h`); nil when it is neither, or out of range.
    init?(_ text: String) {
        if text.hasPrefix("+") {
            guard let duration = DurationText.parse(String(text.dropFirst())), duration <= .longestArgument else {
                return nil
            }
            self = .after(duration)
        } else {
            guard let date = Self.date(text), Self.years.contains(date) else { return nil }
            self = .at(date)
        }
    }

    static let allowed =
        "an ISO 8601 time from 1970 to 2999 such as 2026-01-02T03:04:05Z (without an offset: UTC), or +10m from now, "
        + "at most +36500d"

    /// Why a text is no due time, and what would be one.
    static func fault(_ text: String) -> String {
        let shown = "\"\(text.singleLine)\""
        if text.hasPrefix("+"), DurationText.parse(String(text.dropFirst())) != nil {
            return "\(shown) is out of range: from now it is +36500d at most, a hundred years."
        }
        if date(text) != nil {
            return "\(shown) is out of range: times are from 1970-01-01T00:00:00Z to 2999-12-31T23:59:59Z."
        }
        if text.wholeMatch(of: /\d{4}-\d{2}-\d{2}([Tt ].*)?/) != nil {
            return "\(shown) is no day or time that there is; expected \(allowed)."
        }
        return "\(shown) is no time; expected \(allowed)."
    }

    /// What is earlier or later is a slip: the year 1 stands for no time in some programs, and some for never.
    private static let years = Date(timeIntervalSince1970: 0)..<Date(timeIntervalSince1970: 32_503_680_000)

    private static func date(_ text: String) -> Date? {
        let pattern =
            /(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?([Zz]|[+-]\d{2}(?::?\d{2})?)?)?/
        guard let match = text.wholeMatch(of: pattern)?.output else { return nil }
        var parts = DateComponents()
        parts.year = Int(match.1)
        parts.month = Int(match.2)
        parts.day = Int(match.3)
        parts.hour = match.4.flatMap { Int($0) } ?? 0
        parts.minute = match.5.flatMap { Int($0) } ?? 0
        parts.second = match.6.flatMap { Int($0) } ?? 0
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = .gmt
        // The calendar would take the 31st of February for a day in March.
        guard let offset = offset(match.8), let date = calendar.date(from: parts),
            calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date) == parts
        else { return nil }
        return date.addingTimeInterval((match.7.flatMap { Double("0\($0)") } ?? 0) - Double(offset))
    }

    /// Seconds east of UTC.
    private static func offset(_ text: Substring?) -> Int? {
        guard let text, text.lowercased() != "z" else { return 0 }
        let digits = text.filter(\.isNumber)
        guard let hours = Int(digits.prefix(2)), let minutes = Int("0" + digits.dropFirst(2)), hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * 60 * (text.hasPrefix("-") ? -1 : 1)
    }
}
