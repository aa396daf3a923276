import HTTPTypes
import Hummingbird
import NIOCore

/// What a peer has to say, before a fault spoils it.
struct PeerAnswer: Sendable {
    enum Body: Sendable {
        case json(ByteBuffer)
        case notes(NoteFetch, style: PeerSettings.Timestamps, uploadImages: Bool)
        /// So many empty elements; nil: it never ends.
        case list(elements: Int?)
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
        case .list(let elements):
            let body = ResponseBody { writer in
                for chunk in EmptyElements(count: elements) { try await writer.write(chunk) }
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
        case .list(let elements): EmptyElements(count: elements)
        }
    }
}

/// A list of notes that say nothing, in pieces.
private struct EmptyElements: Sequence, IteratorProtocol {
    /// nil: it never ends.
    var count: Int?
    private var isBegun = false
    private var isEnded = false

    private static let piece = 20_000

    init(count: Int?) { self.count = count }

    mutating func next() -> ByteBuffer? {
        guard !isEnded else { return nil }
        defer { isBegun = true }
        let beginning = isBegun ? "," : "{\"notes\":["
        let size = Swift.min(count ?? Self.piece, Self.piece)
        if let count { self.count = count - size }
        isEnded = count == 0
        let elements = Array(repeating: "{}", count: size).joined(separator: ",")
        return ByteBuffer(string: beginning + elements + (isEnded ? "]}" : ""))
    }
}
