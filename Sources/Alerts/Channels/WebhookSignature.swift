import COpenSSL
import Foundation

/// Signatures of a webhook's message by the Standard Webhooks specification, symmetric variant (`v1`, HMAC-SHA256).
///
/// Source: Standard Webhooks, "Signature scheme".
struct WebhookSignature {
    /// Each `whsec_` and base64; several while one replaces another.
    let secrets: [String]

    /// The value of `webhook-signature`: a signature a secret, separated by blanks.
    ///
    /// - Throws: ``AlertsError``: a secret is not as described.
    func header(id: String, timestamp: Int, body: [UInt8]) throws -> String {
        let signed = Array("\(id).\(timestamp).".utf8) + body
        return try secrets.map { secret in
            let encoded = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
            guard let key = Data(base64Encoded: encoded), !key.isEmpty else {
                throw AlertsError(.signingFailed, "A secret in NOTIFICATION_WEBHOOK_SECRET is not whsec_ and base64.")
            }
            return "v1," + Data(try Self.authenticationCode(of: signed, key: Array(key))).base64EncodedString()
        }.joined(separator: " ")
    }

    private static func authenticationCode(of bytes: [UInt8], key: [UInt8]) throws -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        let result = HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &code, &count)
        guard result != nil, count == 32 else {
            throw AlertsError(.signingFailed, "OpenSSL could not compute an HMAC.")
        }
        return code
    }
}
