import HTTPTypes
import Hummingbird
import NIOCore

extension Fault {
    /// The answer given instead of doing the work; nil where the work goes on.
    func refusal(_ operation: Operation) throws -> PeerAnswer? {
        switch self {
        case .status(let code, let detail, let headers):
            var answer = try PeerAnswer.detail(detail, status: HTTPResponse.Status(code: code))
            for (name, value) in headers {
                if let name = HTTPField.Name(name) { answer.headers[name] = value }
            }
            return answer
        case .body(let code, let text):
            return PeerAnswer(status: HTTPResponse.Status(code: code), body: .json(ByteBuffer(string: text)))
        case .message(let message):
            return try PeerAnswer.detail(operation.failure(message), status: .internalServerError)
        case .rateLimited(let status, let retryAfter):
            let message = "rate_limited: You have been rate limited. Please try again in a few minutes."
            var answer = try PeerAnswer.detail(operation.failure(message), status: HTTPResponse.Status(code: status))
            if let retryAfter { answer.headers[.retryAfter] = String(retryAfter) }
            return answer
        case .authFailed(let error):
            return try PeerAnswer.json(AuthAnswer(status: "failed", error: error, masterToken: nil))
        case .unauthorized:
            return try PeerAnswer.detail("Not authenticated", status: .unauthorized)
        default:
            return nil
        }
    }
}

extension Operation {
    /// The peer's own prefix before a message of Notion or Google.
    func failure(_ message: String) -> String {
        switch self {
        case .health: message
        case .auth: "Failed to authenticate: \(message)"
        case .notes: "Failed to extract notes: \(message)"
        case .create: "Failed to create Notion page: \(message)"
        case .update: "Failed to update Notion page: \(message)"
        }
    }
}
