import CurlHTTP
import Foundation
import TestSupport

/// A running `peer-simulator` and its control API.
struct SimulatedPeers {
    let program: ProgramRun
    let keepURL: String
    let writerURL: String
    private let http = HTTPClient()

    /// Starts the simulator with made-up notes; on free ports, unless `arguments` name some.
    static func start(notes: Int, arguments: [String] = []) async throws -> SimulatedPeers {
        let ports = arguments.contains("--keep-port") ? [] : ["--keep-port", "0", "--writer-port", "0"]
        let program = try ProgramRun.start(
            "peer-simulator",
            ["--synthetic", "\(notes)", "--note-bytes", "60", "--concurrent-extractor"] + ports + arguments
        )
        return SimulatedPeers(
            program: program,
            keepURL: try url(try await program.waitForLine(containing: "Keep Extractor on")),
            writerURL: try url(try await program.waitForLine(containing: "Notion Writer on"))
        )
    }

    /// Starts others at the same addresses, when these are gone.
    func restarted(notes: Int) async throws -> SimulatedPeers {
        let ports = [keepURL, writerURL].map { $0.split(separator: ":").last.map(String.init) ?? "" }
        let arguments = ["--keep-port", ports[0], "--writer-port", ports[1]]
        for _ in 1...20 {
            // A connection of somebody else's may have the port for a moment.
            if let peers = try? await Self.start(notes: notes, arguments: arguments) { return peers }
            try await Task.sleep(for: .milliseconds(500))
        }
        return try await Self.start(notes: notes, arguments: arguments)
    }

    private static func url(_ line: String) throws -> String {
        guard let url = line.split(separator: " ").first(where: { $0.hasPrefix("http://") }) else {
            throw UnexpectedAnswer(description: "no address in \"\(line)\"")
        }
        return String(url)
    }

    // MARK: What was asked of them

    struct Requests: Decodable {
        struct Peer: Decodable {
            var total: Int
            var routes: [String: [String: Int]]

            /// Calls of a method on paths that begin so, whatever the answer.
            func count(_ method: String, _ path: String) -> Int {
                routes.filter { $0.key.hasPrefix("\(method) \(path)") }.values.flatMap(\.values).reduce(0, +)
            }
        }

        var extractor: Peer
        var writer: Peer
        var maxConcurrentWriterCalls: Int
        var maxConcurrentPerTitle: Int
        var idempotentReplays: Int
        var malformedIdempotencyKeys: Int
        var missingIdempotencyKeys: Int

        var creates: Int { writer.count("POST", "/internal/notion/pages") }
        var updates: Int { writer.count("PATCH", "/internal/notion/pages") }
        var writes: Int { creates + updates }
        var fetches: Int { extractor.count("GET", "/internal/keep/notes") }
    }

    func requests() async throws -> Requests {
        try await get("/requests")
    }

    func resetRequests() async throws {
        _ = try await send(.post, "/requests/reset")
    }

    // MARK: Tokens

    /// From now on Notion does not accept the token.
    func revoke(token: String) async throws {
        _ = try await send(.post, "/tokens/revoke", ["token": token])
    }

    func restore(token: String) async throws {
        _ = try await send(.post, "/tokens/restore", ["token": token])
    }

    // MARK: Pages and notes

    struct Page: Decodable {
        var id: String
        var title: String
        var databaseID: String
        /// The create and every update.
        var versions: Int
        var state: String
    }

    private struct PageList: Decodable {
        var count: Int
        var pages: [Page]
    }

    /// The pages of a user's database, or all.
    func pages(of user: String? = nil) async throws -> [Page] {
        let database = user.map { "&database=\(Installation.databaseID(of: $0))" } ?? ""
        return try await (get("/pages?content=false\(database)") as PageList).pages
    }

    struct Note: Decodable {
        var id: String
        var title: String
        var modifiedAt: String
    }

    private struct NoteList: Decodable {
        var notes: [Note]
    }

    func notes() async throws -> [Note] {
        try await (get("/notes") as NoteList).notes
    }

    @discardableResult
    func createNote(title: String, text: String) async throws -> Note {
        try decode(try await send(.post, "/notes", ["title": title, "text": text]))
    }

    func editNote(_ id: String, text: String) async throws {
        _ = try await send(.put, "/notes/\(id)", ["text": text])
    }

    // MARK: Faults and settings

    /// Puts a fault plan in force: JSON rules, without the brackets around them.
    func setFaults(_ rules: String) async throws {
        _ = try await send(.put, "/faults", json: "[\(rules)]")
    }

    /// How long every call takes from now on.
    func setLatency(_ latency: Duration) async throws {
        let milliseconds = latency / .milliseconds(1)
        _ = try await send(.put, "/settings", json: "{\"latency_ms\":\(Int(milliseconds))}")
    }

    /// The extractor serves one call at a time from now on, `/health` included.
    func serialiseExtractor() async throws {
        _ = try await send(.put, "/settings", json: #"{"serialised":true}"#)
    }

    // MARK: Calls

    /// A call of the writer itself, as the replaced service made it.
    func createPage(user: String, title: String, token: String) async throws -> String {
        struct Answer: Decodable { var pageID: String }
        let note: [String: Any] = [
            "title": title, "content": "old", "created_at": "2024-01-01T00:00:00", "labels": [], "images": [],
        ]
        let body: [String: Any] = ["api_token": token, "database_id": Installation.databaseID(of: user), "note": note]
        let data = try JSONSerialization.data(withJSONObject: body)
        let answer = try await call(.post, writerURL + "/internal/notion/pages", data)
        return try (decode(answer) as Answer).pageID
    }

    private func get<Value: Decodable>(_ path: String) async throws -> Value {
        try decode(try await send(.get, path))
    }

    private func send(_ method: HTTPMethod, _ path: String, _ fields: [String: String]) async throws -> Data {
        try await call(method, "\(writerURL)/simulator\(path)", try JSONEncoder().encode(fields))
    }

    private func send(_ method: HTTPMethod, _ path: String, json: String? = nil) async throws -> Data {
        try await call(method, "\(writerURL)/simulator\(path)", json.map { Data($0.utf8) })
    }

    private func call(_ method: HTTPMethod, _ url: String, _ body: Data?) async throws -> Data {
        let request = HTTPRequest(
            method: method,
            url: url,
            headers: body == nil ? [:] : ["Content-Type": "application/json"],
            body: body.map(Array.init),
            maximumResponseBytes: 64 << 20
        )
        let response = try await http.execute(request)
        let data = Data(response.body)
        guard (200..<300).contains(response.status) else {
            let said = String(decoding: data, as: UTF8.self)
            throw UnexpectedAnswer(description: "\(method) \(url): \(response.status) \(said)")
        }
        return data
    }

    private func decode<Value: Decodable>(_ data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in FieldName(stringValue: Self.camelCase(path[path.count - 1])) }
        return try decoder.decode(Value.self, from: data)
    }

    /// `page_id` to `pageID`; what is no field name stays as it is.
    private static func camelCase(_ key: any CodingKey) -> String {
        guard !key.stringValue.contains(" ") else { return key.stringValue }
        let words = key.stringValue.split(separator: "_").map(String.init)
        guard let first = words.first else { return key.stringValue }
        return first + words.dropFirst().map { $0 == "id" ? "ID" : $0.capitalized }.joined()
    }
}

private struct FieldName: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// An answer that the test did not expect of the simulator.
struct UnexpectedAnswer: Error, CustomStringConvertible {
    let description: String
}
