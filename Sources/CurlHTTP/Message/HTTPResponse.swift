/// One HTTP response.
public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    /// Body in memory; empty where it was written to a file.
    public var body: [UInt8]
    /// Bytes of the body, wherever they went.
    public var bytesReceived: Int64

    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = [], bytesReceived: Int64? = nil) {
        self.status = status
        self.headers = headers
        self.body = body
        self.bytesReceived = bytesReceived ?? Int64(body.count)
    }

    /// Whether the status is 2xx.
    public var isSuccess: Bool { (200..<300).contains(status) }
}
