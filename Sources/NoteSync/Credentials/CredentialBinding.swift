internal import Fernet

/// Whether a user's stored credentials are known to be that user's own.
///
/// The binding is a code over user, both encrypted tokens and database by a key derived from the encryption key: who
/// may write the table and has no key can't put one user's credentials into another's row. Text form: `1:` and
/// HMAC-SHA256 in hexadecimal; the number stands for this way of binding.
public enum CredentialBinding: Sendable {
    /// Bound by one of the keys.
    case valid
    /// Never bound: stored by something that knows no bindings.
    case absent
    /// Bound once, and changed since by something that knows no bindings.
    case cleared
    /// There is one, of none of the keys or of other credentials.
    case wrong

    /// Whether something other than this service's programs has changed the row since it was bound.
    public var isChangedOutside: Bool { self == .cleared || self == .wrong }
}

extension CredentialBinding {
    /// - Throws: `FernetError` with code `cryptographyFailed`.
    static func text(of stored: CredentialRow, keys: FernetKeyRing) throws -> String {
        version + hexadecimal(try keys.authenticationCode(of: stored.boundFields, purpose: purpose))
    }

    /// - Throws: `FernetError` with code `cryptographyFailed`.
    init(of stored: CredentialRow, keys: FernetKeyRing) throws {
        guard let binding = stored.binding else {
            self = stored.isBindingCleared ? .cleared : .absent
            return
        }
        let code = binding.hasPrefix(Self.version) ? Self.bytes(binding.dropFirst(Self.version.count)) : []
        let isAuthentic = try keys.isAuthentic(code, of: stored.boundFields, purpose: Self.purpose)
        self = isAuthentic ? .valid : .wrong
    }

    private static let version = "1:"
    private static let purpose = "sync service: binding of credentials"

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// - Returns: nothing if the text is something else than pairs of digits.
    private static func bytes(_ text: Substring) -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue)
        guard digits.count == text.count, digits.count.isMultiple(of: 2) else { return [] }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

extension CredentialRow {
    fileprivate var boundFields: [String] { [userID, googleToken, notionToken, databaseID] }
}
