import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Support

/// The answer of an authentication.
struct AuthAnswer: Encodable, Sendable {
    let status: String
    let error: String?
    let masterToken: String?

    private enum CodingKeys: String, CodingKey {
        case status, error
        case masterToken = "master_token"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(status, forKey: .status)
        // Both are sent as null where there is nothing, as the extractor does.
        try container.encode(error, forKey: .error)
        try container.encode(masterToken, forKey: .masterToken)
    }
}

/// The Keep Extractor.
struct KeepExtractorRoutes: Sendable {
    let simulator: Simulator
    private let responder: PeerResponder

    init(simulator: Simulator) {
        self.simulator = simulator
        responder = PeerResponder(simulator: simulator)
    }

    func add(to router: Router<SimulatorRequestContext>) {
        router.get("/health") { _, context in try await health(context) }
        router.post("/internal/keep/auth") { request, context in try await authenticate(request, context) }
        router.get("/internal/keep/notes") { request, context in try await notes(request, context) }
    }

    /// The right of way, where one request is served at a time.
    private func enter() async -> SerialGate.Pass? {
        simulator.settings.serialised ? await simulator.gate.enter() : nil
    }

    private func health(_ context: SimulatorRequestContext) async throws -> Response {
        let pass = await enter()
        defer { pass?.release() }
        return try await responder.respond(to: PeerCall(peer: .extractor, operation: .health), in: context) {
            try .json(["status": "healthy", "service": "keep_extractor"])
        }
    }

    private func authenticate(_ request: Request, _ context: SimulatorRequestContext) async throws -> Response {
        let pass = await enter()
        defer { pass?.release() }
        let body = try await request.body.collect(upTo: 1 << 20)
        // `try?`: whatever cannot be read lacks its fields, which is what the answer says.
        let json = try? JSONDecoder().decode(JSONValue.self, from: body.data)
        let username = json?["username"]?.stringValue
        let call = PeerCall(peer: .extractor, operation: .auth, username: username)
        return try await responder.respond(to: call, in: context) {
            guard let username, !username.isEmpty else {
                return try .detail("username is required", status: .badRequest)
            }
            guard let token = json?["master_token"]?.stringValue else {
                return try .detail("master_token is required", status: .badRequest)
            }
            simulator.requests.recordKeepRequest(username: username)
            guard isValid(token) else {
                return try .json(AuthAnswer(status: "failed", error: "Invalid master token", masterToken: nil))
            }
            simulator.noteLibrary.authenticate(username: username)
            return try .json(AuthAnswer(status: "authenticated", error: nil, masterToken: token))
        }
    }

    private func isValid(_ token: String) -> Bool {
        simulator.masterTokens.isEmpty
            ? !token.isEmpty && !token.hasPrefix("bad") : simulator.masterTokens.contains(token)
    }

    private func notes(_ request: Request, _ context: SimulatorRequestContext) async throws -> Response {
        let pass = await enter()
        // A streamed answer holds on to the pass until its last byte; any other is done when this returns.
        let isStreamed = Flag()
        defer { if !isStreamed.isSet { pass?.release() } }
        let query = FormQuery(request.uri.query ?? "")
        simulator.requests.recordNotesQuery(request.uri.query ?? "")
        let call = PeerCall(peer: .extractor, operation: .notes, username: query["username"])
        return try await responder.respond(to: call, in: context) {
            var answer = try extract(query)
            if case .notes = answer.body {
                answer.pass = pass
                isStreamed.set()
            }
            return answer
        }
    }

    private func extract(_ query: FormQuery) throws -> PeerAnswer {
        guard let username = query["username"], !username.isEmpty else {
            return try .detail(
                [ValidationIssue.missing([.string("query"), .string("username")])],
                status: .unprocessableContent
            )
        }
        if let limit = query["limit"], Int(limit) == nil {
            let issue = ValidationIssue(
                type: "int_parsing",
                loc: [.string("query"), .string("limit")],
                msg: "Input should be a valid integer, unable to parse string as an integer"
            )
            return try .detail([issue], status: .unprocessableContent)
        }
        let style = simulator.settings.timestamps
        var since: KeepTimestamp?
        if let text = query["modified_since"], !text.isEmpty {
            guard let (timestamp, hasOffset) = KeepTimestamp.parse(text) else {
                return try .detail("Invalid modified_since format: \(text)", status: .badRequest)
            }
            guard hasOffset == (style == .offset) else {
                let message = "can't compare offset-naive and offset-aware datetimes"
                return try .detail(Operation.notes.failure(message), status: .internalServerError)
            }
            since = timestamp
        }
        let limit = query["limit"].flatMap { Int($0) }
        guard let fetch = simulator.noteLibrary.fetch(username: username, modifiedSince: since, limit: limit) else {
            return try .detail("Not authenticated: call /internal/keep/auth first", status: .unauthorized)
        }
        simulator.requests.recordKeepRequest(username: username)
        let uploadImages = query["upload_images"].map { ["true", "1", "yes", "on"].contains($0.lowercased()) } ?? true
        return PeerAnswer(status: .ok, body: .notes(fetch, style: style, uploadImages: uploadImages))
    }
}

/// Something that one task says and another asks.
private final class Flag: Sendable {
    private let state = Mutex(false)

    var isSet: Bool { state.withLock { $0 } }

    func set() { state.withLock { $0 = true } }
}

/// A query string read as HTML forms write it: a bare `+` is a space.
struct FormQuery: Sendable {
    private var values: [String: String] = [:]

    init(_ query: String) {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(Self.decoded)
            values[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
    }

    subscript(_ name: String) -> String? { values[name] }

    private static func decoded(_ text: Substring) -> String {
        let spaced = text.replacing("+", with: " ")
        return spaced.removingPercentEncoding ?? String(spaced)
    }
}
