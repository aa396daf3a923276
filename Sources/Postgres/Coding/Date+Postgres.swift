public import Foundation

/// Microseconds since 2000-01-01 00:00 UTC, PostgreSQL's clock, as the binary format of both timestamp types.
///
/// `infinity` and `-infinity` are `Date.distantFuture` and `Date.distantPast`.
private enum PostgresClock {
    /// From 2000-01-01 to 2001-01-01, Foundation's reference date; 2000 was a leap year.
    static let microsecondsToReferenceDate: Int64 = 366 * 86_400 * 1_000_000

    static func microseconds(of date: Date) throws -> Int64 {
        switch date {
        case .distantFuture: return .max
        case .distantPast: return .min
        default: break
        }
        let rounded = (date.timeIntervalSinceReferenceDate * 1_000_000).rounded()
        guard let microseconds = Int64(exactly: rounded) else {
            throw PostgresError(.encodingFailed, "A bound date is not a number or out of PostgreSQL's range")
        }
        let (sum, overflow) = microseconds.addingReportingOverflow(microsecondsToReferenceDate)
        guard !overflow else {
            throw PostgresError(.encodingFailed, "A bound date is out of PostgreSQL's range")
        }
        return sum
    }

    static func date(of microseconds: Int64) -> Date {
        switch microseconds {
        case .max: .distantFuture
        case .min: .distantPast
        default:
            // No time of the database is so small that this wraps.
            Date(timeIntervalSinceReferenceDate: Double(microseconds &- microsecondsToReferenceDate) / 1_000_000)
        }
    }
}

/// A `timestamptz`, to the microsecond. Also read from a `timestamp` column, as UTC.
///
/// Bound to a `timestamp` column it would be converted by the session's time zone: bind a ``PostgresTimestamp`` there.
extension Date: PostgresScalar {
    public static var postgresType: PostgresType { .timestamptz }
    public static var postgresArrayType: PostgresType { .timestamptzArray }

    public func encodePostgres(into bytes: inout [UInt8]) throws {
        try PostgresClock.microseconds(of: self).encodePostgres(into: &bytes)
    }

    public init(postgresValue: PostgresValue) throws {
        self = PostgresClock.date(of: try postgresValue.integer(of: [.timestamptz, .timestamp]))
    }
}

/// A point in time for a `timestamp without time zone` column that holds UTC.
public struct PostgresTimestamp: PostgresScalar, Hashable {
    public var date: Date

    public init(_ date: Date) {
        self.date = date
    }

    public static var postgresType: PostgresType { .timestamp }
    public static var postgresArrayType: PostgresType { .timestampArray }

    public func encodePostgres(into bytes: inout [UInt8]) throws {
        try date.encodePostgres(into: &bytes)
    }

    public init(postgresValue: PostgresValue) throws {
        date = try Date(postgresValue: postgresValue)
    }
}

/// A `timestamptz` exactly as the database has it, `infinity` and `-infinity` included. Also read from a `timestamp`
/// column, as UTC.
///
/// A `Date` is exact to the microsecond for 285 years around 2001 only: too little for a position in a list.
public struct PostgresInstant: PostgresScalar, Hashable {
    /// Microseconds since 2000-01-01 00:00 UTC, as the database counts; the extremes are the infinities.
    public let microseconds: Int64

    public static let infinity = PostgresInstant(microseconds: .max)
    public static let minusInfinity = PostgresInstant(microseconds: .min)

    /// From 4714-11-24 BC to the end of the year 294276.
    private static let finite: Range<Int64> = -211_813_488_000_000_000..<9_223_371_331_200_000_000

    /// What the database has no time for becomes an infinity.
    public init(microseconds: Int64) {
        self.microseconds =
            Self.finite.contains(microseconds) ? microseconds : microseconds < 0 ? .min : .max
    }

    public static var postgresType: PostgresType { .timestamptz }
    public static var postgresArrayType: PostgresType { .timestamptzArray }

    public func encodePostgres(into bytes: inout [UInt8]) {
        microseconds.encodePostgres(into: &bytes)
    }

    public init(postgresValue: PostgresValue) throws {
        microseconds = try postgresValue.integer(of: [.timestamptz, .timestamp])
    }
}
