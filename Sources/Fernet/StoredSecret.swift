/// The form in which a secret lies in a table: standard base64 of the ASCII text of a Fernet token (so base64 twice).
///
/// An empty text stays an empty text. There is no time to live.
public struct StoredSecret: Sendable {
    private let keyRing: FernetKeyRing

    public init(keyRing: FernetKeyRing) {
        self.keyRing = keyRing
    }

    /// Text to store.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
    public func encrypt(_ secret: String) throws(FernetError) -> String {
        guard !secret.isEmpty else { return "" }
        return Base64.encode(try keyRing.encrypt(secret).utf8, alphabet: .standard)
    }

    /// Secret of a stored text; white space in it and missing padding do not matter.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/malformedToken``, ``FernetError/Code/wrongKey``,
    ///   ``FernetError/Code/badPadding`` or ``FernetError/Code/notText``.
    public func decrypt(_ stored: String) throws(FernetError) -> String {
        guard let token = try token(stored) else { return "" }
        guard let secret = String(validating: try keyRing.decrypt(token), as: UTF8.self) else {
            throw FernetError(.notText, "The content of the token is not UTF-8 text.")
        }
        return secret
    }

    /// Whether a stored text is encrypted with the first key; an empty one needs none.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/malformedToken``.
    public func isFirstKey(of stored: String) throws(FernetError) -> Bool {
        guard let token = try token(stored) else { return true }
        return try keyRing.isFirstKey(of: token)
    }

    /// The one spelling of a stored text, which can be written in many ways; empty for an empty one, nil for what
    /// holds no token.
    public static func canonical(_ stored: String) -> String? {
        // What is wrong with it is said when it is decrypted.
        do { return try token(stored) ?? "" } catch { return nil }
    }

    private func token(_ stored: String) throws(FernetError) -> String? { try Self.token(stored) }

    /// The token in a stored text; nil in an empty one.
    private static func token(_ stored: String) throws(FernetError) -> String? {
        guard let outer = Base64.decodeLeniently(stored), let inner = Base64.decodeLeniently(outer.text) else {
            throw FernetError(.malformedToken, "The stored text is not base64 of a Fernet token.")
        }
        return outer.isEmpty ? nil : Base64.encode(inner, alphabet: .urlSafe)
    }
}

extension [UInt8] {
    fileprivate var text: String { String(decoding: self, as: UTF8.self) }
}
