/// A type whose arrays can be bound and read: a scalar or an optional one as a one-dimensional array, `UInt8` as
/// `bytea`.
public protocol PostgresArrayElement: Sendable {
    static var postgresArrayType: PostgresType { get }
    static func encodePostgresArray(_ elements: [Self], into bytes: inout [UInt8]) throws
    static func decodePostgresArray(_ value: PostgresValue) throws -> [Self]
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    public static var postgresType: PostgresType { Element.postgresArrayType }

    public func encodePostgres(into bytes: inout [UInt8]) throws {
        try Element.encodePostgresArray(self, into: &bytes)
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    public init(postgresValue: PostgresValue) throws {
        self = try Element.decodePostgresArray(postgresValue)
    }
}

extension UInt8: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .bytea }

    public static func encodePostgresArray(_ elements: [UInt8], into bytes: inout [UInt8]) {
        bytes.append(contentsOf: elements)
    }

    public static func decodePostgresArray(_ value: PostgresValue) throws -> [UInt8] {
        try value.withBytes(of: [.bytea]) { [UInt8]($0) }
    }
}

extension PostgresScalar {
    public static func encodePostgresArray(_ elements: [Self], into bytes: inout [UInt8]) throws {
        try ArrayFormat.encode(elements, elementType: postgresType, into: &bytes)
    }

    public static func decodePostgresArray(_ value: PostgresValue) throws -> [Self] {
        try ArrayFormat.decode(value)
    }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresScalar {
    public static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }

    public static func encodePostgresArray(_ elements: [Wrapped?], into bytes: inout [UInt8]) throws {
        try ArrayFormat.encode(elements, elementType: Wrapped.postgresType, into: &bytes)
    }

    public static func decodePostgresArray(_ value: PostgresValue) throws -> [Wrapped?] {
        try ArrayFormat.decode(value)
    }
}

/// The binary format of arrays: dimensions, a flag for nulls and the element's type, then length and lower bound of
/// each dimension, then the elements with their lengths.
///
/// Source: PostgreSQL, `src/backend/utils/adt/arrayfuncs.c`, `array_send`.
private enum ArrayFormat {
    static func encode(
        _ elements: [some PostgresEncodable],
        elementType: PostgresType,
        into bytes: inout [UInt8]
    ) throws {
        let dimensions: Int32 = elements.isEmpty ? 0 : 1
        let hasNull: Int32 = elements.contains(where: \.isPostgresNull) ? 1 : 0
        dimensions.encodePostgres(into: &bytes)
        hasNull.encodePostgres(into: &bytes)
        Int32(bitPattern: elementType.rawValue).encodePostgres(into: &bytes)
        if !elements.isEmpty {
            Int32(elements.count).encodePostgres(into: &bytes)
            Int32(1).encodePostgres(into: &bytes)
        }
        for element in elements {
            if element.isPostgresNull {
                Int32(-1).encodePostgres(into: &bytes)
                continue
            }
            let start = bytes.count
            Int32(0).encodePostgres(into: &bytes)
            try element.encodePostgres(into: &bytes)
            let length = UInt32(truncatingIfNeeded: bytes.count - start - 4)
            for place in 0..<4 { bytes[start + place] = UInt8(truncatingIfNeeded: length >> (24 - 8 * place)) }
        }
    }

    static func decode<Element: PostgresDecodable>(_ value: PostgresValue) throws -> [Element] {
        try value.withBytes(of: [value.type]) { bytes in
            var reader = Reader(bytes: bytes)
            guard bytes.count >= 12 else { throw notAnArray(value) }
            let dimensions = try reader.int32()
            _ = try reader.int32()
            let elementType = PostgresType(rawValue: UInt32(bitPattern: try reader.int32()))
            guard value.type.isArray(of: elementType) else { throw notAnArray(value) }
            guard dimensions > 0 else { return [] }
            guard dimensions == 1 else {
                throw PostgresError(.decodingFailed, "it has \(dimensions) dimensions, only one can be read")
            }
            let count = Int(try reader.int32())
            _ = try reader.int32()
            var elements: [Element] = []
            elements.reserveCapacity(count)
            for _ in 0..<count {
                elements.append(try Element(postgresValue: value.part(try reader.element(), type: elementType)))
            }
            return elements
        }
    }

    private static func notAnArray(_ value: PostgresValue) -> PostgresError {
        PostgresError(.decodingFailed, "it is of type \(value.type), expected an array")
    }

    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        var offset = 0

        mutating func int32() throws -> Int32 {
            guard offset + 4 <= bytes.count else { throw PostgresValue.malformed }
            defer { offset += 4 }
            return Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        }

        /// The bytes of the next element, nil for NULL.
        mutating func element() throws -> UnsafeRawBufferPointer? {
            let length = Int(try int32())
            guard length >= 0 else { return nil }
            guard offset + length <= bytes.count else { throw PostgresValue.malformed }
            defer { offset += length }
            return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
        }
    }
}

extension PostgresType {
    private static let elementTypes: [PostgresType: PostgresType] = [
        .boolArray: .bool, .byteaArray: .bytea, .int2Array: .int2, .int4Array: .int4, .int8Array: .int8,
        .textArray: .text, .float8Array: .float8, .timestampArray: .timestamp, .timestamptzArray: .timestamptz,
        .uuidArray: .uuid, .jsonbArray: .jsonb, PostgresType(rawValue: 1015): .varchar,
        PostgresType(rawValue: 1014): .bpchar, PostgresType(rawValue: 1003): .name,
        PostgresType(rawValue: 1021): .float4, PostgresType(rawValue: 199): .json,
    ]

    /// Whether this is the array type of `element`.
    func isArray(of element: PostgresType) -> Bool { Self.elementTypes[self] == element }
}
