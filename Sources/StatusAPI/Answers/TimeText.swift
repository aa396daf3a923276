import Foundation
import Postgres

/// Times as text, always UTC.
enum TimeText {
    /// `2024-01-01T00:00:00`, without an offset, as the gateway passes times on. What has no year of four digits,
    /// infinities included, is shown as the nearest time that has: its callers read it as a time.
    static func naive(_ date: Date) -> String {
        naive(date, dateTimeSeparator: .standard)
    }

    /// `2024-01-01 00:00:00`, or `infinity`, for people.
    static func spaced(_ date: Date) -> String {
        date.infinityText ?? naive(date, dateTimeSeparator: .space)
    }

    /// `2024-01-01 00:00:00 UTC`, or `infinity`, for people.
    static func full(_ date: Date) -> String {
        date.infinityText ?? "\(spaced(date)) UTC"
    }

    private static func naive(_ date: Date, dateTimeSeparator: Date.ISO8601FormatStyle.DateTimeSeparator) -> String {
        // The style rounds to the nearest second, the database's own text cuts.
        let whole = Date(timeIntervalSince1970: date.withFourDigitYear.timeIntervalSince1970.rounded(.down))
        return whole.formatted(
            .iso8601.year().month().day().time(includingFractionalSeconds: false)
                .dateTimeSeparator(dateTimeSeparator)
        )
    }
}

extension JSONValue {
    /// A time as ``TimeText/naive(_:)``, or null.
    static func time(_ date: Date?) -> JSONValue {
        .string(date.map(TimeText.naive))
    }

    /// When a job is due: a time, or `infinity` for never, or `-infinity`.
    static func due(_ date: Date) -> JSONValue {
        .string(date.infinityText ?? TimeText.naive(date))
    }
}
