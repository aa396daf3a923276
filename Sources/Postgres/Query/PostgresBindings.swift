/// The values bound to a statement, encoded one after the other.
public struct PostgresBindings: Sendable {
    /// The most parameters a statement can have: the protocol counts them in 16 bits.
    static let maximumCount = 65_535

    private(set) var types: [UInt32] = []
    /// Where each value ends in `bytes`; nil for NULL.
    private(set) var ends: [Int?] = []
    private(set) var bytes: [UInt8] = []
    /// Why a value could not be encoded; thrown when the statement is to be sent, as an interpolation cannot throw.
    private(set) var failure: PostgresError?

    public init() {}

    /// The number of values.
    public var count: Int { types.count }

    /// Appends a value. One that cannot be encoded makes the statement fail before it is sent.
    public mutating func append<Value: PostgresEncodable>(_ value: Value) {
        types.append(Value.postgresType.rawValue)
        guard !value.isPostgresNull else {
            ends.append(nil)
            return
        }
        do {
            try value.encodePostgres(into: &bytes)
        } catch let error as PostgresError {
            fail(error)
        } catch {
            fail(PostgresError(.encodingFailed, "A bound \(Value.self) cannot be encoded", cause: error))
        }
        ends.append(bytes.count)
    }

    mutating func fail(_ error: PostgresError) {
        failure = failure ?? error
    }

    /// Throws `encodingFailed` if the values cannot be sent.
    func validate() throws {
        if let failure {
            throw failure
        }
        guard count <= Self.maximumCount else {
            throw PostgresError(
                .encodingFailed,
                "A statement has \(count) parameters, PostgreSQL takes \(Self.maximumCount): bind arrays and unnest them"
            )
        }
        guard bytes.count < Int(Int32.max) else {
            throw PostgresError(.encodingFailed, "The bound values are 2 GiB or more, which PostgreSQL does not take")
        }
    }

    /// Calls `body` with the value pointers (nil for NULL) and the lengths, valid only during the call.
    func withValues<R>(_ body: ([UnsafePointer<CChar>?], [Int32]) -> R) -> R {
        // An empty value must not look like NULL, so there is always a byte to point to.
        (bytes.isEmpty ? [0] : bytes).withUnsafeBytes { buffer in
            var start = 0
            var values: [UnsafePointer<CChar>?] = []
            var lengths: [Int32] = []
            for end in ends {
                let address = buffer.baseAddress?.advanced(by: start).assumingMemoryBound(to: CChar.self)
                values.append(end == nil ? nil : address)
                lengths.append(Int32((end ?? start) - start))
                start = end ?? start
            }
            return body(values, lengths)
        }
    }
}
