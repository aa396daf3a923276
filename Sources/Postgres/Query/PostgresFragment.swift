/// A part of a statement's text that several statements have in common, as a condition.
///
/// It is made of what stands in the source and of other fragments, and of nothing else, so that no value can come into
/// it. It goes into a ``PostgresQuery`` by `\(fragment)`.
public struct PostgresFragment: ExpressibleByStringInterpolation, Sendable {
    let sql: String

    public init(stringLiteral value: StaticString) {
        sql = value.description
    }

    public init(stringInterpolation: StringInterpolation) {
        sql = stringInterpolation.sql
    }

    /// Collects the text.
    public struct StringInterpolation: StringInterpolationProtocol, Sendable {
        fileprivate var sql = ""

        public init(literalCapacity: Int, interpolationCount: Int) {
            sql.reserveCapacity(literalCapacity)
        }

        public mutating func appendLiteral(_ literal: StaticString) {
            sql += literal.description
        }

        public mutating func appendInterpolation(_ fragment: PostgresFragment) {
            sql += fragment.sql
        }
    }
}

extension PostgresQuery.StringInterpolation {
    /// Puts in a part of the statement's text.
    public mutating func appendInterpolation(_ fragment: PostgresFragment) {
        appendLiteral(fragment.sql)
    }
}
