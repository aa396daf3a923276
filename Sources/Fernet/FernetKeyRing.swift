public import Foundation

/// One or more Fernet keys: the first encrypts, all are tried for decrypting, so that a key can be replaced while
/// tokens of the old one are still about.
public struct FernetKeyRing: Sendable {
    let keys: [FernetKey]

    /// A key ring of its text.
    ///
    /// - Parameter commaSeparated: Keys as ``FernetKey/init(base64:)`` takes them, separated by commas.
    /// - Throws: ``FernetError`` with ``FernetError/Code/invalidKey``, which tells which of the keys is wrong.
    public init(_ commaSeparated: String) throws(FernetError) {
        var keys: [FernetKey] = []
        let parts = commaSeparated.split(separator: ",", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            do {
                keys.append(try FernetKey(base64: String(part)))
            } catch {
                guard parts.count > 1 else { throw error }
                throw FernetError(.invalidKey, "Key \(index + 1) of \(parts.count): \(error.message)", cause: error)
            }
        }
        self.keys = keys
    }

    /// A key ring of a key for encrypting and others that are tried for decrypting.
    public init(_ first: FernetKey, others: [FernetKey] = []) {
        keys = [first] + others
    }

    /// How many keys there are, at least one.
    public var count: Int { keys.count }

    /// Token of some bytes, made with the first key.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
    public func encrypt(_ bytes: [UInt8]) throws(FernetError) -> String {
        let vector = try randomBytes(FernetToken.vectorCount)
        return try encrypt(bytes, now: Date(), vector: vector)
    }

    /// Token of a text in UTF-8, made with the first key.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/cryptographyFailed``.
    public func encrypt(_ text: String) throws(FernetError) -> String {
        try encrypt(Array(text.utf8))
    }

    func encrypt(_ bytes: [UInt8], now: Date, vector: [UInt8]) throws(FernetError) -> String {
        let time = UInt64(max(now.timeIntervalSince1970, 0))
        return try FernetToken.make(bytes, key: keys[0], time: time, vector: vector)
    }

    /// Content of a token, however old.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/malformedToken``, ``FernetError/Code/wrongKey`` or
    ///   ``FernetError/Code/badPadding``.
    public func decrypt(_ token: String) throws(FernetError) -> [UInt8] {
        try decrypt(token, now: Date(), timeToLive: nil)
    }

    /// Content of a token that is no older than its time to live and not from the future.
    ///
    /// - Parameters:
    ///   - now: Time to measure from.
    ///   - timeToLive: Greatest age; nil: any, and no look at the time at all.
    /// - Throws: ``FernetError``, with ``FernetError/Code/expired`` or ``FernetError/Code/clockSkew`` too.
    public func decrypt(_ token: String, now: Date, timeToLive: Duration?) throws(FernetError) -> [UInt8] {
        let token = try FernetToken(token)
        for key in keys where try token.isSigned(by: key) {
            try Self.check(token.time, now: now, timeToLive: timeToLive)
            return try token.decrypted(with: key)
        }
        throw FernetError(
            .wrongKey,
            keys.count == 1
                ? "The token was not made with this key, or it was changed."
                : "The token was made with none of the \(keys.count) keys, or it was changed."
        )
    }

    /// Whether a token was made with the first key.
    ///
    /// - Throws: ``FernetError`` with ``FernetError/Code/malformedToken``.
    public func isFirstKey(of token: String) throws(FernetError) -> Bool {
        try FernetToken(token).isSigned(by: keys[0])
    }

    /// How far the clocks of two machines may differ; the specification's reference implementations agree on it.
    private static let maximumClockSkew = 60.0

    private static func check(_ time: UInt64, now: Date, timeToLive: Duration?) throws(FernetError) {
        guard let timeToLive else { return }
        let age = now.timeIntervalSince1970 - Double(time)
        if age > Double(timeToLive.components.seconds) {
            throw FernetError(.expired, "The token is older than its time to live.")
        }
        if -age > maximumClockSkew {
            throw FernetError(.clockSkew, "The token is from the future. Compare the clocks of both machines.")
        }
    }
}
