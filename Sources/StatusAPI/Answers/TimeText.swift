import Foundation

/// Times as text, always UTC.
enum TimeText {
    /// `2024-01-01T00:00:00`, without an offset, as the gateway passes times on.
    static func naive(_ date: Date) -> String {
        naive(date, dateTimeSeparator: .standard)
    }

    /// `2024-01-01 00:00:00`, for people.
    static func spaced(_ date: Date) -> String {
        naive(date, dateTimeSeparator: .space)
    }

    private static func naive(_ date: Date, dateTimeSeparator: Date.ISO8601FormatStyle.DateTimeSeparator) -> String {
        // The style rounds to the nearest second, the database's own text cuts.
        let whole = Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(.down))
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
}
