import HTTPTypes
import Hummingbird
import NIOCore

/// What a peer has to say, before a fault spoils it.
struct PeerAnswer: Sendable {
    enum Body: Sendable {
        case json(ByteBuffer)
        case notes(NoteFetch, style: PeerSettings.Timestamps, uploadImages: Bool)
    }

    var status: HTTPResponse.Status
    var body: Body
    var headers = HTTPFields()
    /// Held until the whole answer is out.
    var pass: SerialGate.Pass?

    init(status: HTTPResponse.Status, body: Body, headers: HTTPFields = HTTPFields()) {
        self.status = status
        self.body = body
        self.headers = headers
    }

    /// `{"detail": …}`, the form of every refusal.
    static func detail(_ detail: some Encodable, status: HTTPResponse.Status) throws -> PeerAnswer {
        PeerAnswer(status: status, body: .json(try ByteBuffer(json: ["detail": detail])))
    }

    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> PeerAnswer {
        PeerAnswer(status: status, body: .json(try ByteBuffer(json: value)))
    }

    /// The answer as it is.
    var response: Response {
        var headers = headers
        headers[.contentType] = "application/json"
        switch body {
        case .json(let buffer):
            return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: buffer))
        case .notes(let fetch, let style, let uploadImages):
            let pass = pass
            let body = ResponseBody { writer in
                defer { pass?.release() }
                for chunk in fetch.chunks(style: style, uploadImages: uploadImages) { try await writer.write(chunk) }
                try await writer.finish(nil)
            }
            return Response(status: status, headers: headers, body: body)
        }
    }

    /// The body in pieces, the same every time.
    var chunks: any Sequence<ByteBuffer> {
        switch body {
        case .json(let buffer): CollectionOfOne(buffer)
        case .notes(let fetch, let style, let uploadImages): fetch.chunks(style: style, uploadImages: uploadImages)
        }
    }
}
