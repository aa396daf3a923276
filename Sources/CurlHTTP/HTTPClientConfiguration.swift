/// Limits, identity and trust of an ``HTTPClient``.
public struct HTTPClientConfiguration: Sendable {
    /// Requests under way at once, all hosts together; each holds one connection. More wait their turn.
    public var maximumConnections: Int
    /// Requests under way at once to one origin (scheme, host and port).
    public var maximumConnectionsPerHost: Int
    /// Longest time to resolve, connect and shake hands.
    public var connectTimeout: Duration
    /// Longest time a kept-alive connection may lie idle and still be used again; whole seconds.
    ///
    /// Common servers close an idle connection after 5 s. A request written at that very moment gets no answer, and
    /// one that must not be repeated is then neither done nor undone for sure, so the default stays clear of it.
    public var idleConnectionLifetime: Duration
    /// `User-Agent` of every request.
    public var userAgent: String
    /// PEM file of the certificate authorities to trust in place of the system's.
    public var certificateAuthorityFile: String?
    /// Whether the `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` environment variables count.
    public var usesProxyFromEnvironment: Bool
    /// Addresses that may be connected to. With ``AddressPolicy/publicOnly`` no proxy is used, as it would hide them.
    public var addressPolicy: AddressPolicy
    /// Most header fields taken of one response.
    public var maximumResponseHeaders: Int
    /// Most bytes of header fields taken of one response.
    public var maximumResponseHeaderBytes: Int

    public init(
        maximumConnections: Int = 256,
        maximumConnectionsPerHost: Int = 128,
        connectTimeout: Duration = .seconds(10),
        idleConnectionLifetime: Duration = .seconds(3),
        userAgent: String = "sync-service",
        certificateAuthorityFile: String? = nil,
        usesProxyFromEnvironment: Bool = true,
        addressPolicy: AddressPolicy = .any,
        maximumResponseHeaders: Int = 256,
        maximumResponseHeaderBytes: Int = 64 * 1024
    ) {
        self.maximumConnections = maximumConnections
        self.maximumConnectionsPerHost = maximumConnectionsPerHost
        self.connectTimeout = connectTimeout
        self.idleConnectionLifetime = idleConnectionLifetime
        self.userAgent = userAgent
        self.certificateAuthorityFile = certificateAuthorityFile
        self.usesProxyFromEnvironment = usesProxyFromEnvironment
        self.addressPolicy = addressPolicy
        self.maximumResponseHeaders = maximumResponseHeaders
        self.maximumResponseHeaderBytes = maximumResponseHeaderBytes
    }
}
