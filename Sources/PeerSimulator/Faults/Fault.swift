/// One way in which a peer misbehaves.
indirect enum Fault: Sendable, Equatable {
    /// Where a fault strikes: before the work is done, or after it has been committed.
    enum Moment: String, Sendable, CaseIterable { case before, after }

    /// The call takes longer; it then goes on to the next rule.
    case latency(milliseconds: Int, jitter: Int)
    /// An answer of one's own choice.
    case status(code: Int, detail: JSONValue, headers: [String: String])
    /// An answer with this body, byte for byte, instead of the work.
    case body(code: Int, text: String)
    /// 500 with the peer's own prefix and this message of Notion or Google.
    case message(String)
    /// 500 that repeats what it was sent: `{title}`, `{content}`, `{beginning}` (60 characters of the text), `{label}`
    /// and `{filename}` (the first of each) stand for it.
    case quote(String)
    /// The work is done; the answer is that of a refusal all the same, as of a proxy that gave up waiting.
    case afterwards(Fault)
    /// Half of the text is written; then 500 with this message.
    case partialWrite(String)
    /// 429, or 500 with Notion's message, and `Retry-After` where seconds are given.
    case rateLimited(status: Int, retryAfter: Int?)
    /// Silence for so long; after it the call goes on as if nothing were wrong.
    case hang(seconds: Double, Moment)
    /// The connection ends without a byte of answer: by a reset, or (`reset: false`) by an orderly close.
    case drop(Moment, reset: Bool)
    /// The work is done; the answer is no JSON.
    case malformedJSON
    /// The work is done; the answer is half of its JSON, with the right Content-Length of that half.
    case truncatedJSON
    /// The work is done; the connection closes in the middle of the body.
    case truncatedBody
    /// The work is done; the answer's fields have wrong types.
    case wrongTypes
    /// The work is done; the answer lacks its fields.
    case missingFields
    /// 200 with `"status":"failed"`, as a wrong master token or a passing Google failure gives.
    case authFailed(error: String)
    /// 401, as after a restart of the extractor.
    case unauthorized
    /// A list of so many empty elements in place of any answer; nil: it never ends.
    case list(elements: Int?)

    /// True for the faults that let the work happen and spoil its answer.
    var strikesAfter: Bool {
        switch self {
        case .hang(_, .after), .drop(.after, _), .afterwards, .partialWrite: true
        case .malformedJSON, .truncatedJSON, .truncatedBody, .wrongTypes, .missingFields: true
        default: false
        }
    }
}

extension Fault {
    static let kinds = [
        "latency", "status", "body", "message", "quote", "partial_write", "rate_limited", "hang", "reset_before",
        "reset_after", "close_before",
        "close_after",
        "malformed_json", "truncated_json", "truncated_body", "wrong_types", "missing_fields", "auth_failed",
        "unauthorized_401", "long_list", "endless_list",
    ]

    /// - Throws: `PeerSimulatorError` (`invalidFaultPlan`) that names what is wrong.
    init(json: JSONValue) throws {
        guard let kind = json["kind"]?.stringValue else {
            throw PeerSimulatorError(
                .invalidFaultPlan,
                "\"fault\" needs a \"kind\": one of \(Self.kinds.joined(separator: ", "))"
            )
        }
        let when = json["when"]?.stringValue
        if ["status", "body", "message", "quote"].contains(kind), let when {
            guard let moment = Moment(rawValue: when) else {
                throw PeerSimulatorError(.invalidFaultPlan, "\"when\" must be \"before\" or \"after\"")
            }
            var members = json.members
            members["when"] = nil
            let refusal = try Fault(json: .object(members))
            self = moment == .after ? .afterwards(refusal) : refusal
            return
        }
        switch kind {
        case "latency":
            let milliseconds = try json.integer("ms", default: 100, in: 0...3_600_000)
            self = .latency(
                milliseconds: milliseconds,
                jitter: try json.integer("jitter", default: 0, in: 0...3_600_000)
            )
        case "status": self = try Self.status(json)
        case "body":
            self = .body(
                code: try json.integer("code", default: 200, in: 200...599),
                text: json["text"]?.stringValue ?? ""
            )
        case "message": self = .message(json["message"]?.stringValue ?? "Something went wrong")
        case "quote":
            self = .quote(json["message"]?.stringValue ?? "body failed validation: instead was {content}")
        case "partial_write":
            self = .partialWrite(json["message"]?.stringValue ?? "Request to Notion API has timed out")
        case "rate_limited":
            let retryAfter = try json["retry_after"].map { _ in
                try json.integer("retry_after", default: 0, in: 0...86_400)
            }
            self = .rateLimited(status: try json.integer("status", default: 429, in: 400...599), retryAfter: retryAfter)
        case "hang": self = try Self.hang(json)
        case "long_list":
            self = .list(elements: try json.integer("elements", default: 10_000_000, in: 0...1_000_000_000))
        case "auth_failed": self = .authFailed(error: json["error"]?.stringValue ?? "Invalid master token")
        default:
            guard let plain = Self.plain[kind] else {
                throw PeerSimulatorError(
                    .invalidFaultPlan,
                    "Unknown fault kind \"\(kind)\": use one of \(Self.kinds.joined(separator: ", "))"
                )
            }
            self = plain
        }
    }

    private static let plain: [String: Fault] = [
        "reset_before": .drop(.before, reset: true),
        "reset_after": .drop(.after, reset: true),
        "close_before": .drop(.before, reset: false),
        "close_after": .drop(.after, reset: false),
        "malformed_json": .malformedJSON,
        "truncated_json": .truncatedJSON,
        "truncated_body": .truncatedBody,
        "wrong_types": .wrongTypes,
        "missing_fields": .missingFields,
        "unauthorized_401": .unauthorized,
        "endless_list": .list(elements: nil),
    ]

    private static func status(_ json: JSONValue) throws -> Fault {
        var headers: [String: String] = [:]
        if case .object(let members)? = json["headers"] {
            for (name, value) in members {
                headers[name] = value.stringValue ?? value.integerValue.map(String.init) ?? ""
            }
        }
        return .status(
            code: try json.integer("code", default: 500, in: 200...599),
            detail: json["detail"] ?? .string("Simulated failure"),
            headers: headers
        )
    }

    private static func hang(_ json: JSONValue) throws -> Fault {
        let seconds = json["seconds"] ?? json["secs"] ?? .integer(60)
        guard let value = seconds.doubleValue, (0...86_400).contains(value) else {
            throw PeerSimulatorError(.invalidFaultPlan, "\"seconds\" of a hang must be a number from 0 to 86400")
        }
        let when = json["when"]?.stringValue ?? "before"
        guard let moment = Moment(rawValue: when) else {
            throw PeerSimulatorError(.invalidFaultPlan, "\"when\" of a hang must be \"before\" or \"after\"")
        }
        return .hang(seconds: value, moment)
    }
}

extension JSONValue {
    fileprivate func integer(_ key: String, default fallback: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let value = self[key] else { return fallback }
        guard let number = value.integerValue, range.contains(number) else {
            throw PeerSimulatorError(
                .invalidFaultPlan,
                "\"\(key)\" must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }
}
