import HTTPTypes
import Hummingbird
import NIOCore

extension Fault {
    /// The answer given instead of doing the work; nil where the work goes on.
    func refusal(_ call: PeerCall) throws -> PeerAnswer? {
        let operation = call.operation
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
        case .quote(let template):
            return try PeerAnswer.detail(operation.failure(call.filling(template)), status: .internalServerError)
        case .rateLimited(let status, let retryAfter):
            let message = "You have been rate limited. Please try again in a few minutes."
            var answer = try PeerAnswer.detail(operation.failure(message), status: HTTPResponse.Status(code: status))
            if let retryAfter { answer.headers[.retryAfter] = String(retryAfter) }
            return answer
        case .authFailed(let error):
            return try PeerAnswer.json(AuthAnswer(status: "failed", error: error, masterToken: nil))
        case .unauthorized:
            return try PeerAnswer.detail("Not authenticated", status: .unauthorized)
        case .list(let elements):
            return PeerAnswer(status: .ok, body: .list(elements: elements))
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

extension PeerCall {
    /// A message with what this call has sent in place of the names in braces.
    fileprivate func filling(_ template: String) -> String {
        let content = content ?? ""
        return [
            "{title}": title ?? "", "{content}": content, "{beginning}": String(content.prefix(60)),
            "{label}": labels.first ?? "", "{filename}": filenames.first ?? "",
        ].reduce(template) { $0.replacing($1.key, with: $1.value) }
    }
}
