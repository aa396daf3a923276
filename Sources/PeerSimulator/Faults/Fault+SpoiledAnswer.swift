import HTTPTypes
import Hummingbird
import NIOCore

extension Fault {
    /// The response in place of an answer whose work has been done.
    ///
    /// - Throws: `ConnectionDropped` where there is none.
    func spoil(
        _ answer: PeerAnswer,
        of operation: Operation,
        in context: SimulatorRequestContext
    ) async throws -> Response {
        switch self {
        case .drop(.after, let reset): throw await context.dropConnection(reset: reset)
        case .malformedJSON: return answer.replacing("{\"status\": ok, 'page_id': NaN,, \"notes\": [}")
        case .wrongTypes: return answer.replacing(operation.bodyOfWrongTypes)
        case .missingFields: return answer.replacing(operation == .notes ? "{\"notes\":[{}]}" : "{}")
        case .truncatedJSON: return answer.cut(in: context, announcesCut: true)
        case .truncatedBody: return answer.cut(in: context, announcesCut: false)
        default: return answer.response
        }
    }
}

extension Operation {
    /// Well-formed JSON with every field of the wrong type.
    fileprivate var bodyOfWrongTypes: String {
        switch self {
        case .health: "{\"status\":7}"
        case .auth: "{\"status\":1,\"error\":[],\"master_token\":false}"
        case .notes:
            """
            {"notes":[{"id":17,"title":null,"content":{},"created_at":0,"modified_at":[],"labels":"none","images":7}],\
            "count":"many"}
            """
        case .create: "{\"page_id\":42,\"url\":[]}"
        case .update: "{\"page_id\":42,\"updated\":\"yes\"}"
        }
    }
}

extension PeerAnswer {
    fileprivate func replacing(_ text: String) -> Response {
        var copy = self
        copy.body = .json(ByteBuffer(string: text))
        return copy.response
    }

    /// The first half of the body: announced as the whole, or followed by the end of the connection.
    fileprivate func cut(in context: SimulatorRequestContext, announcesCut: Bool) -> Response {
        // Written out once to be counted, so that not even a spoiled answer of 100,000 notes is held in memory.
        let total = chunks.reduce(0) { $0 + $1.readableBytes }
        let half = total / 2
        let answer = self
        let body = ResponseBody(contentLength: announcesCut ? half : total) { writer in
            defer { answer.pass?.release() }
            var left = half
            for chunk in answer.chunks {
                guard left > 0 else { break }
                var chunk = chunk
                let piece = chunk.readSlice(length: Swift.min(left, chunk.readableBytes)) ?? chunk
                left -= piece.readableBytes
                try await writer.write(piece)
            }
            guard announcesCut else { throw await context.finishConnection() }
            try await writer.finish(nil)
        }
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: body)
    }
}
