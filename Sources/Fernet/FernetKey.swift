import COpenSSL

/// A Fernet key: 16 bytes to sign with, then 16 to encrypt with.
///
/// Its descriptions do not show it, and its memory is overwritten when the last copy goes.
/// Source: the Fernet specification, section "Key Format".
public struct FernetKey: Sendable {
    private let secret: Secret

    /// A key of its text.
    ///
    /// - Parameter base64: 32 bytes in base64 of either alphabet, as Python's Fernet takes them and `openssl rand
    ///   -base64 32` prints them; white space around it is left out.
    /// - Throws: ``FernetError`` with ``FernetError/Code/invalidKey``.
    public init(base64: String) throws(FernetError) {
        // A key read from a file or a variable often brings its line end along.
        let start = base64.drop { $0.isWhitespace }
        let trimmed = start.lastIndex { !$0.isWhitespace }.map { start[...$0] } ?? ""
        let urlSafe = String(trimmed.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
        guard var bytes = Base64.decode(urlSafe, alphabet: .urlSafe), bytes.count == Self.byteCount else {
            throw FernetError(
                .invalidKey,
                "A Fernet key is 32 bytes in base64 (44 characters); this text is something else."
            )
        }
        secret = Secret(&bytes)
    }

    private init(bytes: inout [UInt8]) {
        secret = Secret(&bytes)
    }

    /// A new key of the system's random numbers.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
    public static func generate() throws(FernetError) -> FernetKey {
        var bytes = try randomBytes(byteCount)
        return FernetKey(bytes: &bytes)
    }

    /// Text of the key, to be kept secret.
    public var base64: String {
        secret.withBytes { Base64.encode($0, alphabet: .urlSafe) }
    }

    private static let byteCount = 32

    func withSigningKey<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try secret.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<16])) }
    }

    func withEncryptionKey<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try secret.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[16...])) }
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try secret.withBytes(body)
    }
}

extension FernetKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "FernetKey(redacted)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Bytes overwritten before their memory is given back.
private final class Secret: Sendable {
    /// Written once, before it is shared; read only from then on.
    private nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer

    /// Takes over the bytes, overwriting the array they came in.
    init(_ source: inout [UInt8]) {
        bytes = .allocate(byteCount: source.count, alignment: 1)
        bytes.copyBytes(from: source)
        source.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    }

    deinit {
        OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        bytes.deallocate()
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(bytes))
    }
}

/// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
func randomBytes(_ count: Int) throws(FernetError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard RAND_bytes(&bytes, Int32(count)) == 1 else {
        throw FernetError(.cryptographyFailed, "The system gives no random numbers; no key or token can be made.")
    }
    return bytes
}
