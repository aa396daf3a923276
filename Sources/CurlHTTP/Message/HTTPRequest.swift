/// One HTTP/1.1 request and the limits of its exchange.
///
/// Redirects are not followed. A request whose method is not GET, HEAD or OPTIONS, or that has a body, is given to a
/// server at most once.
public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    /// Absolute `http` or `https` URL; see ``url(base:path:query:)-(_,String,_)``.
    public var url: String
    public var headers: HTTPHeaders
    /// Body to send; sent with a `Content-Length`.
    public var body: [UInt8]?
    /// Longest time of the whole exchange, the wait for a connection included.
    public var timeout: Duration
    /// Moment after which the request must not be sent any more: it then fails with ``CurlHTTPError/Code/tooLate``.
    public var notAfter: ContinuousClock.Instant?
    /// Most body bytes held in memory.
    public var maximumResponseBytes: Int
    /// Most body bytes written to a file by ``HTTPClient/download(_:to:)``; nil: no limit.
    public var maximumDownloadBytes: Int64?
    /// Asked before bytes of a download are written whether there is room for so many more; says why there is not.
    /// Called on the client's own thread.
    public var downloadRefusal: (@Sendable (_ bytes: Int) -> String?)?
    /// W3C trace context to send as `traceparent`.
    public var traceparent: String?
    /// How the request is signed for Amazon Web Services; nil: not at all. It then needs a `Content-Type`.
    public var signature: AWSSignature?

    public init(
        method: HTTPMethod = .get,
        url: String,
        headers: HTTPHeaders = [:],
        body: [UInt8]? = nil,
        timeout: Duration = .seconds(30),
        notAfter: ContinuousClock.Instant? = nil,
        maximumResponseBytes: Int = 1024 * 1024,
        maximumDownloadBytes: Int64? = nil,
        downloadRefusal: (@Sendable (_ bytes: Int) -> String?)? = nil,
        traceparent: String? = nil,
        signature: AWSSignature? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.notAfter = notAfter
        self.maximumResponseBytes = maximumResponseBytes
        self.maximumDownloadBytes = maximumDownloadBytes
        self.downloadRefusal = downloadRefusal
        self.traceparent = traceparent
        self.signature = signature
    }

    /// Whether curl may send it again by itself when a kept-alive connection turns out dead.
    var mayBeResent: Bool { method.isSafe && body == nil }

    /// The caller's header fields, the trace context and the session token of a signature.
    var sentHeaders: HTTPHeaders {
        var sent = headers
        if let token = signature?.sessionToken { sent["X-Amz-Security-Token"] = token }
        if let traceparent { sent["traceparent"] = traceparent }
        return sent
    }
}

extension HTTPRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Method and URL without user, password and query; a header or a body may be a secret.
    public var description: String { "\(method) \(RequestTarget.redact(url))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
