import ChaosChecker
import CurlHTTP
import Foundation
import TestSupport

/// A running `peer-simulator` and its control API.
struct Peers: Sendable {
    let program: ProgramRun
    let extractorPort: Int
    let writerPort: Int
    private let http = HTTPClient()

    static func start(_ plan: Plan) async throws -> Peers {
        let arguments = [
            "--synthetic", "0", "--keep-port", "0", "--writer-port", "0", "--record-calls", "--seed", "\(plan.seed)",
            "--idempotency", plan.honoursKeys ? "honour" : "ignore", "--latency-ms", "\(plan.latency)",
        ]
        return try await start(arguments + (plan.serialisesExtractor ? [] : ["--concurrent-extractor"]))
    }

    static func start(_ arguments: [String]) async throws -> Peers {
        let program = try ProgramRun.start("peer-simulator", arguments)
        return Peers(
            program: program,
            extractorPort: try port(try await program.waitForLine(containing: "Keep Extractor on")),
            writerPort: try port(try await program.waitForLine(containing: "Notion Writer on"))
        )
    }

    private static func port(_ line: String) throws -> Int {
        let address = line.split(separator: " ").first { $0.hasPrefix("http://") }
        guard let port = address?.split(separator: ":").last.flatMap({ Int($0) }) else {
            throw ChaosError("no address in \"\(line)\"")
        }
        return port
    }

    // MARK: Notes

    struct Note: Decodable { var id: String }

    func createNote(title: String, text: String) async throws -> Note {
        try decode(try await send(.post, "/notes", ["title": title, "text": text]))
    }

    func editNote(_ id: String, title: String, text: String) async throws {
        try await send(.put, "/notes/\(id)", ["title": title, "text": text])
    }

    func trashNote(_ id: String) async throws {
        try await send(.delete, "/notes/\(id)")
    }

    // MARK: Pages

    private struct PageList: Decodable { var pages: [Page] }

    private struct Page: Decodable {
        var id: String
        var databaseID: String
        var title: String
        var appended: [String]
        var state: String
        var idempotencyKeys: [String]
    }

    func pages() async throws -> [History.Page] {
        let list: PageList = try decode(try await send(.get, "/pages"))
        return list.pages.map { page in
            History.Page(
                id: page.id,
                databaseID: page.databaseID,
                title: page.title,
                appended: page.appended,
                state: page.state,
                idempotencyKeys: page.idempotencyKeys
            )
        }
    }

    /// - Parameter change: `trash`, `remove`, `remove?as=block`.
    func changePage(_ id: String, _ change: String) async throws {
        try await send(.post, "/pages/\(id)/\(change)")
    }

    /// - Parameter change: `share`, `unshare`.
    func changeDatabase(_ id: String, _ change: String) async throws {
        try await send(.post, "/databases/\(id)/\(change)")
    }

    /// - Parameter change: `revoke`, `restore`.
    func changeToken(_ token: String, _ change: String) async throws {
        try await send(.post, "/tokens/\(change)", ["token": token])
    }

    // MARK: Calls and faults

    func calls() async throws -> [History.Call] {
        try decode(try await send(.get, "/calls"))
    }

    /// Puts rules in force, JSON objects, in place of those before.
    func setFaults(_ rules: [String]) async throws {
        try await send(.put, "/faults", body: Data("[\(rules.joined(separator: ","))]".utf8))
    }

    func setLatency(milliseconds: Int) async throws {
        try await send(.put, "/settings", body: Data("{\"latency_ms\":\(milliseconds)}".utf8))
    }

    func forgetSessions() async throws {
        try await send(.post, "/sessions/forget")
    }

    @discardableResult
    private func send(_ method: HTTPMethod, _ path: String, _ fields: [String: String]) async throws -> Data {
        try await send(method, path, body: try JSONEncoder().encode(fields))
    }

    @discardableResult
    private func send(_ method: HTTPMethod, _ path: String, body: Data? = nil) async throws -> Data {
        let request = HTTPRequest(
            method: method,
            url: "http://127.0.0.1:\(writerPort)/simulator\(path)",
            headers: body == nil ? [:] : ["Content-Type": "application/json"],
            body: body.map(Array.init),
            timeout: .seconds(10),
            maximumResponseBytes: 64 << 20
        )
        let response = try await http.execute(request)
        guard (200..<300).contains(response.status) else {
            let said = String(decoding: response.body, as: UTF8.self)
            throw ChaosError("\(method) \(path): \(response.status) \(said)")
        }
        return Data(response.body)
    }

    private func decode<Value: Decodable>(_ data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in FieldName(path[path.count - 1].stringValue) }
        return try decoder.decode(Value.self, from: data)
    }
}

/// `page_id` as `pageID`.
private struct FieldName: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) {
        let words = name.split(separator: "_").map(String.init)
        stringValue = (words.first ?? "") + words.dropFirst().map { $0 == "id" ? "ID" : $0.capitalized }.joined()
    }

    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// Why a run could not be made; no verdict on what was run.
struct ChaosError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
