public import Foundation

/// A point in Keep's time, in microseconds since 1970-01-01 UTC.
///
/// The Keep Extractor writes ISO 8601 with or without fraction and offset; without an offset it means UTC.
public struct KeepTimestamp: Hashable, Comparable, Sendable {
    public let microseconds: Int64

    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// A time of the database, which knows some that this type can't hold or reckon with: they become the nearest that
    /// it can.
    public init(_ date: Date) {
        let microseconds = (date.timeIntervalSince1970 * 1_000_000).rounded()
        self.microseconds = Int64(min(max(microseconds, Double(Self.earliest)), Double(Self.latest)))
    }

    /// The database's earliest time, 4714-11-24 BC, and some thousand years less than its latest.
    private static let earliest: Int64 = -210_866_803_200_000_000
    private static let latest: Int64 = 9_000_000_000_000_000_000

    public var date: Date { Date(timeIntervalSince1970: Double(microseconds) / 1_000_000) }

    public static func < (left: KeepTimestamp, right: KeepTimestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    static func - (time: KeepTimestamp, duration: Duration) -> KeepTimestamp {
        let (seconds, attoseconds) = duration.components
        return KeepTimestamp(microseconds: time.microseconds - seconds * 1_000_000 - attoseconds / 1_000_000_000_000)
    }

    /// `2026-01-02T03:04:05.123456`, always with six digits: what an extractor that compares naive times takes.
    public var naiveText: String {
        let (days, dayMicroseconds) = microseconds.flooredQuotientAndRemainder(dividingBy: 86_400_000_000)
        let (year, month, day) = CivilDate.fromDays(days)
        let (seconds, fraction) = dayMicroseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d.%06d",
            year,
            month,
            day,
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            fraction
        )
    }

    /// The same with `+00:00`.
    public var offsetText: String { naiveText + "+00:00" }
}

extension Int64 {
    fileprivate func flooredQuotientAndRemainder(dividingBy divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// Days since 1970-01-01 and dates of the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
enum CivilDate {
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func fromDays(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
    }

    static func daysInMonth(_ month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
