import COpenSSL

/// HMAC-SHA256, 32 bytes.
enum AuthenticationCode {
    static let count = 32

    /// - Returns: nil if OpenSSL can't compute one.
    static func make(of bytes: [UInt8], key: UnsafeRawBufferPointer) -> [UInt8]? {
        var code = [UInt8](repeating: 0, count: count)
        var length: UInt32 = 0
        let result = HMAC(EVP_sha256(), key.baseAddress, Int32(key.count), bytes, bytes.count, &code, &length)
        return result != nil && Int(length) == count ? code : nil
    }

    /// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
    static func checked(_ code: [UInt8]?) throws(FernetError) -> [UInt8] {
        guard let code else { throw FernetError(.cryptographyFailed, "OpenSSL could not compute an HMAC.") }
        return code
    }

    /// Takes the same time wherever the two differ.
    static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }
}

extension FernetKeyRing {
    /// HMAC-SHA256 of some fields by the first key, or rather by one derived from it: HMAC-SHA256 of the purpose by
    /// the whole key. Codes of one purpose say nothing of another's, nor of tokens.
    ///
    /// Each field is preceded by its length in bytes, so that no two lists of fields read the same.
    ///
    /// - Returns: 32 bytes.
    /// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
    public func authenticationCode(of fields: [String], purpose: String) throws(FernetError) -> [UInt8] {
        try Self.code(of: fields, purpose: purpose, key: keys[0])
    }

    /// Whether a code is that of some fields by any of the keys.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
    public func isAuthentic(_ code: [UInt8], of fields: [String], purpose: String) throws(FernetError) -> Bool {
        for key in keys {
            let expected = try Self.code(of: fields, purpose: purpose, key: key)
            if AuthenticationCode.areEqual(code, expected) { return true }
        }
        return false
    }

    private static func code(of fields: [String], purpose: String, key: FernetKey) throws(FernetError) -> [UInt8] {
        var derivation: [UInt8]?
        key.withBytes { derivation = AuthenticationCode.make(of: Array(purpose.utf8), key: $0) }
        var derived = try AuthenticationCode.checked(derivation)
        defer { derived.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        var bytes: [UInt8] = []
        for field in fields {
            bytes += "\(field.utf8.count):".utf8
            bytes += field.utf8
        }
        let code = derived.withUnsafeBytes { AuthenticationCode.make(of: bytes, key: $0) }
        return try AuthenticationCode.checked(code)
    }
}
