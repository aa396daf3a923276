/// A request that got no usable response.
///
/// The text names method and URL (without user, password and query values) and never a header or a body.
public struct CurlHTTPError: Error, CustomStringConvertible, Sendable {
    /// What happened.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Name: String {
            case invalidRequest, couldNotResolve, couldNotConnect, addressRefused, tls, timedOut, connectionReset
            case incompleteResponse, malformedResponse, responseTooLarge, downloadTooLarge, downloadRefused
            case writeFailed, tooLate
            case cancelled, shutDown, tooManyOpenFiles, internalFailure
        }

        private let name: Name

        /// URL, method or header that cannot be sent.
        public static let invalidRequest = Code(name: .invalidRequest)
        /// Host name without an address.
        public static let couldNotResolve = Code(name: .couldNotResolve)
        /// No connection: refused, unreachable, or the proxy said no.
        public static let couldNotConnect = Code(name: .couldNotConnect)
        /// Host whose addresses this client must not connect to.
        public static let addressRefused = Code(name: .addressRefused)
        /// TLS handshake or certificate check that failed.
        public static let tls = Code(name: .tls)
        /// Deadline passed.
        public static let timedOut = Code(name: .timedOut)
        /// Connection that ended before any byte of a response.
        public static let connectionReset = Code(name: .connectionReset)
        /// Connection that ended within a response.
        public static let incompleteResponse = Code(name: .incompleteResponse)
        /// Answer that is not HTTP.
        public static let malformedResponse = Code(name: .malformedResponse)
        /// Header of the response, or body held in memory, above its limit.
        public static let responseTooLarge = Code(name: .responseTooLarge)
        /// Body of a download above ``HTTPRequest/maximumDownloadBytes``.
        public static let downloadTooLarge = Code(name: .downloadTooLarge)
        /// Download for which there is no room; see ``HTTPRequest/downloadRefusal``.
        public static let downloadRefused = Code(name: .downloadRefused)
        /// File that could not be written.
        public static let writeFailed = Code(name: .writeFailed)
        /// Request held back because its `notAfter` had passed.
        public static let tooLate = Code(name: .tooLate)
        /// Task that was cancelled.
        public static let cancelled = Code(name: .cancelled)
        /// Client that was shut down.
        public static let shutDown = Code(name: .shutDown)
        /// No file descriptor left for a connection; nothing was sent.
        public static let tooManyOpenFiles = Code(name: .tooManyOpenFiles)
        /// Fault of curl or lack of memory.
        public static let internalFailure = Code(name: .internalFailure)

        public var description: String { name.rawValue }
    }

    public let code: Code
    /// False only if it is certain that no byte of the request left; then it may be sent again.
    public let requestMayHaveBeenSent: Bool
    /// Method, URL, what happened and what to do.
    public let message: String
    /// What happened, without the URL; for logs in which the URL is a secret.
    public let reason: String
    public let cause: (any Error)?
    public let file: String
    public let line: Int

    init(
        _ code: Code,
        _ message: String,
        reason: String? = nil,
        requestMayHaveBeenSent: Bool = false,
        cause: (any Error)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.reason = reason ?? message
        self.requestMayHaveBeenSent = requestMayHaveBeenSent
        self.cause = cause
        self.file = file
        self.line = line
    }

    public var description: String { message }
}
