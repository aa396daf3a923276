import Foundation

/// A moment in Keep's own time: microseconds since 1970, UTC.
struct KeepTimestamp: Sendable, Hashable, Comparable {
    var microseconds: Int64

    static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    static var now: Self {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Self(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    /// ISO 8601 as Python's `isoformat()` prints it: six fractional digits, or none where they are all zero.
    func text(_ style: PeerSettings.Timestamps) -> String {
        let (days, microsecondOfDay) = microseconds.flooredQuotientAndRemainder(86_400_000_000)
        let (year, month, day) = Self.civilDate(daysSince1970: days)
        let second = microsecondOfDay / 1_000_000
        let fraction = microsecondOfDay % 1_000_000
        var text = "\(year.padded(4))-\(month.padded(2))-\(day.padded(2))T"
        text += "\((second / 3600).padded(2)):\((second / 60 % 60).padded(2)):\((second % 60).padded(2))"
        if fraction != 0 { text += ".\(fraction.padded(6))" }
        if style == .offset { text += "+00:00" }
        return text
    }

    /// What Python's `datetime.fromisoformat` reads, and whether it had an offset; nil where that raises `ValueError`.
    static func parse(_ text: String) -> (timestamp: KeepTimestamp, hasOffset: Bool)? {
        let pattern =
            #/
            (\d{4})-(\d\d)-(\d\d)
            (?:[T\ ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:(Z)|([+-])(\d\d):?(\d\d))?)?
            /#
        guard let match = text.wholeMatch(of: pattern) else { return nil }
        let (_, year, month, day, hour, minute, second, fraction, zulu, sign, offsetHour, offsetMinute) = match.output
        // Python's first year is 1.
        guard Int64(year)! > 0 else { return nil }
        guard let days = daysSince1970(year: Int64(year)!, month: Int64(month)!, day: Int64(day)!) else { return nil }
        let hours = hour.flatMap { Int64($0) } ?? 0
        let minutes = minute.flatMap { Int64($0) } ?? 0
        let seconds = second.flatMap { Int64($0) } ?? 0
        guard hours < 24, minutes < 60, seconds < 60 else { return nil }
        var offset = (offsetHour.flatMap { Int64($0) } ?? 0) * 60 + (offsetMinute.flatMap { Int64($0) } ?? 0)
        if sign == "-" { offset = -offset }
        let sixDigits = ((fraction.map(String.init) ?? "") + "000000").prefix(6)
        let secondsOfDay = hours * 3600 + (minutes - offset) * 60 + seconds
        let microseconds = (days * 86_400 + secondsOfDay) * 1_000_000 + Int64(sixDigits)!
        return (KeepTimestamp(microseconds: microseconds), zulu != nil || sign != nil)
    }

    /// Howard Hinnant's `civil_from_days`.
    private static func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let (era, dayOfEra) = shifted.flooredQuotientAndRemainder(146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    /// Howard Hinnant's `days_from_civil`; nil for a date that does not exist.
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64? {
        guard (1...12).contains(month), (1...31).contains(day) else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shiftedYear.flooredQuotientAndRemainder(400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return civilDate(daysSince1970: days) == (year, month, day) ? days : nil
    }
}

extension Int64 {
    fileprivate func flooredQuotientAndRemainder(_ divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    fileprivate func padded(_ width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }
}
