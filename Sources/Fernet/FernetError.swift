/// A key or a token that cannot be used. No text of it holds any part of either.
public struct FernetError: Error, CustomStringConvertible, Sendable {
    /// What happened.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Name: String {
            case invalidKey, malformedToken, wrongKey, badPadding, expired, clockSkew, notText, cryptographyFailed
        }

        private let name: Name

        /// Text that is not 32 bytes in url-safe base64.
        public static let invalidKey = Code(name: .invalidKey)
        /// Text that is not a token: no base64, too short, of another version or of an impossible length.
        public static let malformedToken = Code(name: .malformedToken)
        /// No key of the ring made the token, or the token was changed.
        public static let wrongKey = Code(name: .wrongKey)
        /// Signed content that does not decrypt: made with another encryption key than signing key, or by a fault.
        public static let badPadding = Code(name: .badPadding)
        /// Token older than its time to live.
        public static let expired = Code(name: .expired)
        /// Token made further in the future than clocks may differ.
        public static let clockSkew = Code(name: .clockSkew)
        /// Content that is not UTF-8 where text was asked for.
        public static let notText = Code(name: .notText)
        /// OpenSSL or the system's random numbers refused to work.
        public static let cryptographyFailed = Code(name: .cryptographyFailed)

        public var description: String { name.rawValue }
    }

    public let code: Code
    /// What happened and what to do.
    public let message: String
    public let cause: (any Error)?
    public let file: String
    public let line: Int

    init(
        _ code: Code,
        _ message: String,
        cause: (any Error)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.cause = cause
        self.file = file
        self.line = line
    }

    public var description: String { message }

    static let malformed = "The text is not a Fernet token."
}
