package import HTTPTypes
package import Hummingbird
import NIOCore

extension Response {
    package static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        Response(status, "application/json", value.buffer)
    }

    /// `{"detail": …}`, the form of every refusal.
    package static func detail(_ text: String, status: HTTPResponse.Status) -> Response {
        .json(["detail": .string(text)], status: status)
    }

    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(status, "text/plain; charset=utf-8", ByteBuffer(string: text))
    }

    package static var notFound: Response { .detail("Not Found", status: .notFound) }

    init(_ status: HTTPResponse.Status, _ contentType: String, _ body: ByteBuffer) {
        var headers = HTTPFields()
        headers[.contentType] = contentType
        self.init(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}
