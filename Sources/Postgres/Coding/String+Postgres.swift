public import Foundation

extension String: PostgresScalar {
    public static var postgresType: PostgresType { .text }
    public static var postgresArrayType: PostgresType { .textArray }

    /// Throws `encodingFailed` for a text that holds U+0000, which PostgreSQL cannot store.
    public func encodePostgres(into bytes: inout [UInt8]) throws {
        guard !holdsNUL else {
            throw PostgresError(.encodingFailed, "A bound text holds a NUL character, which PostgreSQL cannot store")
        }
        bytes.append(contentsOf: utf8)
    }

    /// Whether it holds U+0000, which ends a text of C.
    var holdsNUL: Bool {
        utf8.withContiguousStorageIfAvailable { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        } ?? utf8.contains(0)
    }

    public init(postgresValue: PostgresValue) throws {
        self = try postgresValue.withBytes(of: [.text, .varchar, .bpchar, .name, .unknown]) { bytes in
            String(decoding: bytes, as: UTF8.self)
        }
    }
}

extension UUID: PostgresScalar {
    public static var postgresType: PostgresType { .uuid }
    public static var postgresArrayType: PostgresType { .uuidArray }

    public func encodePostgres(into bytes: inout [UInt8]) {
        withUnsafeBytes(of: uuid) { bytes.append(contentsOf: $0) }
    }

    public init(postgresValue: PostgresValue) throws {
        self = try postgresValue.withBytes(of: [.uuid]) { bytes in
            guard bytes.count == 16 else { throw PostgresValue.malformed }
            return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
        }
    }
}

/// A JSON document, stored as `jsonb`; also read from `json`.
public struct PostgresJSONB: PostgresScalar, Hashable {
    /// The document's text. The server gives it back in its own normal form.
    public var text: String

    public init(text: String) {
        self.text = text
    }

    /// The JSON document of a value, with sorted keys.
    public init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        text = String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The value that the document describes.
    public func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    public static var postgresType: PostgresType { .jsonb }
    public static var postgresArrayType: PostgresType { .jsonbArray }

    /// The version number that stands before the text in the binary format.
    private static let formatVersion: UInt8 = 1

    public func encodePostgres(into bytes: inout [UInt8]) throws {
        bytes.append(Self.formatVersion)
        try text.encodePostgres(into: &bytes)
    }

    public init(postgresValue: PostgresValue) throws {
        text = try postgresValue.withBytes(of: [.jsonb, .json]) { bytes in
            guard postgresValue.type == .jsonb else { return String(decoding: bytes, as: UTF8.self) }
            guard bytes.first == Self.formatVersion else { throw PostgresValue.malformed }
            return String(decoding: bytes.dropFirst(), as: UTF8.self)
        }
    }
}
