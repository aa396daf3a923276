/// The parts of a token: version, time, initialization vector, ciphertext and the signature over all of them.
///
/// Source: the Fernet specification, section "Token Format".
struct FernetToken {
    static let version: UInt8 = 0x80
    static let vectorCount = 16
    static let signatureCount = AuthenticationCode.count
    static let blockCount = 16
    private static let headerCount = 1 + 8

    /// Everything the signature covers.
    let signed: ArraySlice<UInt8>
    let signature: ArraySlice<UInt8>

    /// - Throws: ``FernetError`` with ``FernetError/Code/malformedToken``.
    init(_ text: String) throws(FernetError) {
        guard let bytes = Base64.decode(text, alphabet: .urlSafe),
            bytes.count >= Self.headerCount + Self.vectorCount + Self.signatureCount,
            bytes[0] == Self.version
        else {
            throw FernetError(.malformedToken, FernetError.malformed)
        }
        signed = bytes.dropLast(Self.signatureCount)
        signature = bytes.suffix(Self.signatureCount)
    }

    /// Seconds since 1970 at which it was made.
    var time: UInt64 { signed[1..<Self.headerCount].reduce(0) { $0 << 8 | UInt64($1) } }

    private var vector: ArraySlice<UInt8> { signed[Self.headerCount..<Self.headerCount + Self.vectorCount] }

    private var ciphertext: ArraySlice<UInt8> { signed[(Self.headerCount + Self.vectorCount)...] }

    /// Whether the key signed this token; takes the same time wherever a signature differs.
    func isSigned(by key: FernetKey) throws(FernetError) -> Bool {
        let expected = try Self.signature(of: Array(signed), key: key)
        return AuthenticationCode.areEqual(expected, Array(signature))
    }

    /// Content of a token whose signature has been checked.
    func decrypted(with key: FernetKey) throws(FernetError) -> [UInt8] {
        guard !ciphertext.isEmpty, ciphertext.count % Self.blockCount == 0 else {
            throw FernetError(.malformedToken, FernetError.malformed)
        }
        guard let plain = try Cipher.run(.decrypt, Array(ciphertext), vector: Array(vector), key: key) else {
            throw FernetError(.badPadding, "The token is signed by the key, but its content cannot be decrypted.")
        }
        return plain
    }

    /// Text of a new token.
    static func make(
        _ plain: [UInt8],
        key: FernetKey,
        time: UInt64,
        vector: [UInt8]
    ) throws(FernetError) -> String {
        guard let ciphertext = try Cipher.run(.encrypt, plain, vector: vector, key: key) else {
            throw FernetError(.cryptographyFailed, "OpenSSL could not encrypt.")
        }
        var bytes = [version]
        withUnsafeBytes(of: time.bigEndian) { bytes.append(contentsOf: $0) }
        bytes += vector + ciphertext
        bytes += try signature(of: bytes, key: key)
        return Base64.encode(bytes, alphabet: .urlSafe)
    }

    private static func signature(of bytes: [UInt8], key: FernetKey) throws(FernetError) -> [UInt8] {
        var signature: [UInt8]?
        key.withSigningKey { signature = AuthenticationCode.make(of: bytes, key: $0) }
        return try AuthenticationCode.checked(signature)
    }
}
