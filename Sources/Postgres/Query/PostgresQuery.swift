/// A statement whose interpolated values are bound, never pasted into its text.
///
/// `"SELECT * FROM t WHERE id = \(id)"` is sent as `SELECT * FROM t WHERE id = $1` with one parameter. Names go in by
/// `\(identifier: name)`, parts of the text that several statements share as a ``PostgresFragment``. There is no way to
/// interpolate text that is not in the source.
public struct PostgresQuery: ExpressibleByStringInterpolation, Sendable, CustomStringConvertible {
    /// The statement's text with `$1`, `$2`, … for its values.
    public let sql: String
    /// The values for `$1`, `$2`, …
    public let bindings: PostgresBindings
    /// How it is to be planned.
    public internal(set) var planning = Planning.free

    public init(stringLiteral value: String) {
        sql = value
        bindings = PostgresBindings()
    }

    public init(stringInterpolation: StringInterpolation) {
        sql = stringInterpolation.sql
        bindings = stringInterpolation.bindings
    }

    /// The text without the bound values.
    public var description: String { sql }

    /// Collects the text and the values of a query.
    public struct StringInterpolation: StringInterpolationProtocol, Sendable {
        fileprivate var sql = ""
        fileprivate var bindings = PostgresBindings()

        public init(literalCapacity: Int, interpolationCount: Int) {
            sql.reserveCapacity(literalCapacity + interpolationCount * 3)
        }

        public mutating func appendLiteral(_ literal: String) {
            sql += literal
        }

        /// Binds a value to the next parameter.
        public mutating func appendInterpolation(_ value: some PostgresEncodable) {
            bindings.append(value)
            sql += "$\(bindings.count)"
        }

        /// Binds a value, or NULL for nil, to the next parameter.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            bindings.append(value)
            sql += "$\(bindings.count)"
        }

        /// Puts in the name of a table, column, channel or the like, quoted.
        public mutating func appendInterpolation(identifier: PostgresIdentifier) {
            if let failure = identifier.failure {
                bindings.fail(failure)
            }
            sql += identifier.quoted
        }
    }
}

/// The name of a table, column, channel or the like.
public struct PostgresIdentifier: ExpressibleByStringLiteral, Hashable, Sendable {
    public let name: String

    public init(_ name: String) {
        self.name = name
    }

    public init(stringLiteral value: String) {
        name = value
    }

    /// The name in double quotes, as it stands in a statement.
    public var quoted: String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }

    /// Why the name cannot be sent.
    fileprivate var failure: PostgresError? {
        guard name.isEmpty || name.holdsNUL else { return nil }
        return PostgresError(.encodingFailed, "An identifier is empty or holds a NUL character")
    }
}

extension PostgresQuery.StringInterpolation {
    /// Puts in the name of a table, column, channel or the like, quoted.
    public mutating func appendInterpolation(identifier name: String) {
        appendInterpolation(identifier: PostgresIdentifier(name))
    }
}
