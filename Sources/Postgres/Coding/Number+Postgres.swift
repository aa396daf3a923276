extension FixedWidthInteger {
    fileprivate func appendBigEndian(to bytes: inout [UInt8]) {
        withUnsafeBytes(of: bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Any of the three integer types, if its value fits.
    fileprivate init(anyInteger value: PostgresValue) throws {
        let wide: Int64 =
            switch value.type {
            case .int2: Int64(try value.integer(of: [.int2], as: Int16.self))
            case .int4: Int64(try value.integer(of: [.int4], as: Int32.self))
            default: try value.integer(of: [.int8, .int4, .int2], as: Int64.self)
            }
        guard let fitting = Self(exactly: wide) else {
            throw PostgresError(.decodingFailed, "its value does not fit into \(Self.self)")
        }
        self = fitting
    }
}

extension Int16: PostgresScalar {
    public static var postgresType: PostgresType { .int2 }
    public static var postgresArrayType: PostgresType { .int2Array }
    public func encodePostgres(into bytes: inout [UInt8]) { appendBigEndian(to: &bytes) }
    public init(postgresValue: PostgresValue) throws { try self.init(anyInteger: postgresValue) }
}

extension Int32: PostgresScalar {
    public static var postgresType: PostgresType { .int4 }
    public static var postgresArrayType: PostgresType { .int4Array }
    public func encodePostgres(into bytes: inout [UInt8]) { appendBigEndian(to: &bytes) }
    public init(postgresValue: PostgresValue) throws { try self.init(anyInteger: postgresValue) }
}

extension Int64: PostgresScalar {
    public static var postgresType: PostgresType { .int8 }
    public static var postgresArrayType: PostgresType { .int8Array }
    public func encodePostgres(into bytes: inout [UInt8]) { appendBigEndian(to: &bytes) }
    public init(postgresValue: PostgresValue) throws { try self.init(anyInteger: postgresValue) }
}

extension Int: PostgresScalar {
    public static var postgresType: PostgresType { .int8 }
    public static var postgresArrayType: PostgresType { .int8Array }
    public func encodePostgres(into bytes: inout [UInt8]) { Int64(self).encodePostgres(into: &bytes) }
    public init(postgresValue: PostgresValue) throws { try self.init(anyInteger: postgresValue) }
}

extension Double: PostgresScalar {
    public static var postgresType: PostgresType { .float8 }
    public static var postgresArrayType: PostgresType { .float8Array }
    public func encodePostgres(into bytes: inout [UInt8]) { bitPattern.appendBigEndian(to: &bytes) }

    public init(postgresValue: PostgresValue) throws {
        if postgresValue.type == .float4 {
            self = Double(Float(bitPattern: try postgresValue.integer(of: [.float4])))
        } else {
            self.init(bitPattern: try postgresValue.integer(of: [.float8, .float4]))
        }
    }
}

extension Bool: PostgresScalar {
    public static var postgresType: PostgresType { .bool }
    public static var postgresArrayType: PostgresType { .boolArray }
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
    public init(postgresValue: PostgresValue) throws {
        self = try postgresValue.integer(of: [.bool], as: UInt8.self) != 0
    }
}
