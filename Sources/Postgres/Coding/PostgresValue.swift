/// One value of a result, in PostgreSQL's binary format.
public struct PostgresValue {
    /// The type of the column, or of the element of an array.
    public let type: PostgresType
    // The bytes belong to `owner`, which this value keeps alive.
    private let bytes: UnsafeRawBufferPointer?
    private let owner: PostgresResult

    init(type: PostgresType, bytes: UnsafeRawBufferPointer?, owner: PostgresResult) {
        self.type = type
        self.bytes = bytes
        self.owner = owner
    }

    public var isNull: Bool { bytes == nil }

    /// Calls `body` with the bytes, if the value is of one of the types and not NULL; throws `decodingFailed` if not.
    ///
    /// The bytes are valid only during the call.
    public func withBytes<R>(of types: [PostgresType], _ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        guard types.contains(type) else {
            let expected = types.map(\.description).joined(separator: ", ")
            throw PostgresError(.decodingFailed, "it is of type \(type), expected \(expected)")
        }
        guard let bytes else {
            throw PostgresError(.decodingFailed, "it is NULL; read it as an Optional")
        }
        return try withExtendedLifetime(owner) { try body(bytes) }
    }

    /// A big-endian integer that fills the value.
    func integer<I: FixedWidthInteger>(of types: [PostgresType], as: I.Type = I.self) throws -> I {
        try withBytes(of: types) { bytes in
            guard bytes.count == MemoryLayout<I>.size else { throw Self.malformed }
            return I(bigEndian: bytes.loadUnaligned(as: I.self))
        }
    }

    /// A part of this value, such as an element of an array.
    func part(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) -> PostgresValue {
        PostgresValue(type: type, bytes: bytes, owner: owner)
    }

    static var malformed: PostgresError {
        PostgresError(.decodingFailed, "its binary form has an unexpected length")
    }
}
