import COpenSSL

/// A short digest of a text that may be secret: tells one from another and nothing else.
enum Fingerprint {
    /// Sixteen hexadecimal digits of SHA-256.
    static func of(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let result = EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil)
        precondition(result == 1, "OpenSSL has no SHA-256")
        return digest.prefix(8).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
