import Foundation
import Postgres

/// Times and durations as this program shows them. Times are in UTC, as in the tables; what has no year of four digits
/// is shown as the nearest time that has, and the infinities as such.
enum TimeText {
    /// `2026-01-02T03:04:05.678Z`.
    static func precise(_ date: Date) -> String {
        if let infinity = date.infinityText { return infinity }
        // The format cuts off: a time that binary fractions put just below its millisecond would lose one.
        let milliseconds = (date.withFourDigitYear.timeIntervalSince1970 * 1000).rounded()
        return Date(timeIntervalSince1970: (milliseconds + 0.5) / 1000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// `2026-01-02 03:04:05 UTC`.
    static func full(_ date: Date) -> String {
        if let infinity = date.infinityText { return infinity }
        let text = date.withFourDigitYear.formatted(Date.ISO8601FormatStyle())
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) UTC"
    }

    /// `03:04:05`, with the date before it if that is another than the reference's: `01-02 03:04:05`.
    static func short(_ date: Date, near reference: Date) -> String {
        if let infinity = date.infinityText { return infinity }
        let text = date.withFourDigitYear.formatted(Date.ISO8601FormatStyle())
        let time = text.dropFirst(11).prefix(8)
        let isSameDay = text.prefix(10) == reference.withFourDigitYear.formatted(Date.ISO8601FormatStyle()).prefix(10)
        return isSameDay ? String(time) : "\(text.dropFirst(5).prefix(5)) \(time)"
    }

    /// A rough length, rounded to the nearest: `5 s`, `12 min`, `3 h`, `2 d`.
    static func rough(_ duration: Duration) -> String {
        func count(_ unit: Duration) -> Int64 { Int64((max(duration, .zero) / unit).rounded()) }
        if count(.seconds(1)) < 120 { return "\(count(.seconds(1))) s" }
        if count(.seconds(60)) < 120 { return "\(count(.seconds(60))) min" }
        return count(.seconds(3600)) < 48 ? "\(count(.seconds(3600))) h" : "\(count(.seconds(86_400))) d"
    }

    /// How long before or after a time another is: `in 5 min`, `12 min ago`, `now`.
    static func relative(_ date: Date, to now: Date) -> String {
        if let infinity = date.infinityText { return infinity }
        let seconds = date.timeIntervalSince(now)
        if abs(seconds) < 1 { return "now" }
        return seconds > 0 ? "in \(rough(.seconds(seconds.rounded(.up))))" : "\(rough(.seconds(-seconds))) ago"
    }

    /// A length as a clock shows it: `0:07`, `12:34`, `1:02:03`.
    static func clock(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        let minutes = seconds / 60 % 60
        return seconds < 3600
            ? "\(minutes):\(padded(seconds % 60))"
            : "\(seconds / 3600):\(padded(minutes)):\(padded(seconds % 60))"
    }

    private static func padded(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
