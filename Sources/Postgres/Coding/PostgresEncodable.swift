/// A value that can be bound to a statement, in PostgreSQL's binary format.
///
/// A wrapper of another encodable value conforms by delegating; see also ``PostgresScalar`` for raw values.
public protocol PostgresEncodable: Sendable {
    /// The type the value is sent as.
    static var postgresType: PostgresType { get }
    /// Whether the value is sent as NULL; nothing is encoded then.
    var isPostgresNull: Bool { get }
    /// Appends the value in the binary format of ``postgresType``. Throws a ``PostgresError`` with code
    /// `encodingFailed`.
    func encodePostgres(into bytes: inout [UInt8]) throws
}

extension PostgresEncodable {
    public var isPostgresNull: Bool { false }
}

/// A value that can be read from a column.
public protocol PostgresDecodable {
    /// Throws a ``PostgresError`` with code `decodingFailed` if the column is NULL or of another type.
    init(postgresValue: PostgresValue) throws
}

/// A single value, not an array: what an array can hold.
///
/// A `RawRepresentable` type over a scalar needs no code: `enum Status: String, PostgresScalar { … }`.
public protocol PostgresScalar: PostgresArrayElement, PostgresEncodable, PostgresDecodable {
    /// The type of an array of such values.
    static var postgresArrayType: PostgresType { get }
}

extension PostgresScalar where Self: RawRepresentable, RawValue: PostgresScalar {
    public static var postgresType: PostgresType { RawValue.postgresType }
    public static var postgresArrayType: PostgresType { RawValue.postgresArrayType }

    public func encodePostgres(into bytes: inout [UInt8]) throws {
        try rawValue.encodePostgres(into: &bytes)
    }

    public init(postgresValue: PostgresValue) throws {
        let raw = try RawValue(postgresValue: postgresValue)
        guard let value = Self(rawValue: raw) else {
            throw PostgresError(.decodingFailed, "it holds a value that is no \(Self.self)")
        }
        self = value
    }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    public static var postgresType: PostgresType { Wrapped.postgresType }

    public var isPostgresNull: Bool { self?.isPostgresNull ?? true }

    public func encodePostgres(into bytes: inout [UInt8]) throws {
        try self?.encodePostgres(into: &bytes)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    public init(postgresValue: PostgresValue) throws {
        self = postgresValue.isNull ? .none : try Wrapped(postgresValue: postgresValue)
    }
}
