internal import CurlHTTP
internal import Foundation

extension HTTPResponse {
    /// What a FastAPI service says of an error: `detail` as text, or as a list of faults with their places. Never the
    /// input it quotes, which may hold a note's text.
    var detail: String {
        struct Fault: Decodable {
            var loc: [Place]?
            var msg: String?
        }
        struct Place: Decodable, CustomStringConvertible {
            var description: String

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let name = try? container.decode(String.self) {
                    description = name
                } else {
                    description = String(try container.decode(Int.self))
                }
            }
        }
        struct Text: Decodable { var detail: String }
        struct List: Decodable { var detail: [Fault] }

        let decoder = JSONDecoder()
        let data = Data(body)
        // Either form may be missing: an answer in neither is described by its status alone.
        if let answer = try? decoder.decode(Text.self, from: data) {
            return answer.detail
        }
        if let answer = try? decoder.decode(List.self, from: data) {
            return answer.detail.map { fault in
                let place = (fault.loc ?? []).map(\.description).joined(separator: ".")
                return place.isEmpty ? fault.msg ?? "unknown" : "\(place): \(fault.msg ?? "unknown")"
            }.joined(separator: "; ")
        }
        return "HTTP status \(status)"
    }
}

extension HTTPResponse {
    /// Whether it has the form in which the peers themselves explain an error: JSON with a `detail` and nothing else.
    /// What stands before them may have one too, beside others (RFC 9457).
    var hasDetail: Bool {
        // Anything else is no such answer.
        let answer = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        return answer?["detail"] != nil && answer?.count == 1
    }

    /// How the messages begin by which a peer says that it does not get through to Notion, Google or its storage, or
    /// that these are out of order: that holds for all users.
    ///
    /// Source: the texts of notion-client, httpx and requests; Notion's documentation, "Status codes", 500 to 504.
    private static let disconnections = [
        "Request to Notion API", "Server disconnected", "All connection attempts failed", "peer closed connection",
        "Connection", "('Connection", "HTTPConnectionPool", "HTTPSConnectionPool", "Could not connect", "[Errno",
        "[SSL", "timed out", "Notion", "Unexpected error occurred", "An unexpected error occurred",
        "Internal server error", "Internal Server Error", "Service unavailable", "Service Unavailable", "Bad gateway",
        "Bad Gateway", "Gateway timeout", "Gateway Timeout", "Request timed out",
    ]

    /// Whether it is the peer's own word that it could not carry out a call, for a reason that may be the call's own.
    ///
    /// - Parameter prefixes: the peer's words before the reason.
    func explainsCall(_ prefixes: [String]) -> Bool {
        guard status == 500, hasDetail else { return false }
        let detail = detail
        guard let prefix = prefixes.first(where: { detail.hasPrefix($0) }) else { return false }
        let reason = detail.dropFirst(prefix.count).drop { $0.isWhitespace }
        return !reason.isEmpty && !Self.disconnections.contains { reason.hasPrefix($0) }
    }

    /// Whether a refusal says that the limit shared by all connections of a workspace is reached, as a writer passes it
    /// on that answers what Notion does.
    ///
    /// Source: Notion's documentation, "Request limits": `additional_data.rate_limit_reason`.
    var limitsWorkspace: Bool {
        struct Additional: Decodable {
            var reason: String?

            private enum CodingKeys: String, CodingKey {
                case reason = "rate_limit_reason"
            }
        }
        struct Answer: Decodable {
            var additional: Additional?

            private enum CodingKeys: String, CodingKey {
                case additional = "additional_data"
            }
        }
        struct Wrapped: Decodable { var detail: Answer }

        let decoder = JSONDecoder()
        let data = Data(body)
        // What is neither form says nothing of it.
        let answer =
            (try? decoder.decode(Wrapped.self, from: data).detail) ?? (try? decoder.decode(Answer.self, from: data))
        return answer?.additional?.reason?.lowercased().contains("workspace") ?? false
    }
}

extension CurlHTTPError {
    /// What became of a call of a peer, as the predicate of a sentence: whether it may have been carried out is what
    /// matters.
    ///
    /// - Parameter verb: what was to be done, as `called`.
    func whatBecame(of verb: String) -> String {
        guard requestMayHaveBeenSent else { return "could not be \(verb)" }
        switch code {
        case .timedOut, .connectionReset: return "was sent the request and gave no answer"
        case .cancelled, .shutDown: return "was sent the request, and its answer was not waited for"
        default: return "was sent the request, and its answer could not be read"
        }
    }
}
