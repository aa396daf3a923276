import Foundation
import Logging
import TestSupport
import Testing

@testable import PeerSimulator

/// A simulator that runs in the test's own process.
struct RunningSimulator: Sendable {
    let ports: PeerPorts
    let simulator: Simulator

    func keep(_ method: String, _ path: String, body: String? = nil) async throws -> WireAnswer {
        try await wireRequest(port: ports.keep, method, path, body: body)
    }

    func writer(
        _ method: String,
        _ path: String,
        headers: [String: String] = [:],
        body: String? = nil
    ) async throws -> WireAnswer {
        try await wireRequest(port: ports.writer, method, path, headers: headers, body: body)
    }

    func authenticate(_ username: String = "ada", token: String = "aas_et/good") async throws -> WireAnswer {
        try await keep("POST", "/internal/keep/auth", body: #"{"username":"\#(username)","master_token":"\#(token)"}"#)
    }

    func notes(_ query: String = "") async throws -> WireAnswer {
        try await keep("GET", "/internal/keep/notes?username=ada" + query)
    }

    func create(
        title: String = "A note",
        content: String = "Text",
        token: String = "secret_t",
        database: String = "db-1",
        key: String? = nil
    ) async throws -> WireAnswer {
        try await writer(
            "POST",
            "/internal/notion/pages",
            headers: key.map { ["Idempotency-Key": $0] } ?? [:],
            body: Self.pageBody(title: title, content: content, token: token, database: database)
        )
    }

    func update(_ id: String, title: String = "A note", content: String = "More", token: String = "secret_t")
        async throws
        -> WireAnswer
    {
        try await writer(
            "PATCH",
            "/internal/notion/pages/\(id)",
            body: Self.pageBody(title: title, content: content, token: token, database: nil)
        )
    }

    /// Creates a page and returns its id.
    func createdPage(title: String = "A note", database: String = "db-1") async throws -> String {
        let answer = try await create(title: title, database: database)
        return try #require(answer.object()["page_id"] as? String)
    }

    func setFaults(_ plan: String) async throws {
        let answer = try await writer("PUT", "/simulator/faults", body: plan)
        #expect(answer.status == 200, "\(answer.text)")
    }

    private static func pageBody(title: String, content: String, token: String, database: String?) throws -> String {
        var body: [String: JSONValue] = [
            "api_token": .string(token),
            "note": .object([
                "title": .string(title), "content": .string(content), "created_at": .string("2024-01-02T03:04:05"),
                "labels": .array([.string("one")]), "images": .array([]),
            ]),
        ]
        if let database { body["database_id"] = .string(database) }
        return String(decoding: try JSONEncoder().encode(JSONValue.object(body)), as: UTF8.self)
    }
}

/// Runs `body` against a simulator on free ports.
func withSimulator(
    _ configuration: SimulatorConfiguration = SimulatorConfiguration(notes: .synthetic(count: 40, noteBytes: 80)),
    _ body: (RunningSimulator) async throws -> Void
) async throws {
    var configuration = configuration
    configuration.keepPort = 0
    configuration.writerPort = 0
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let application = try PeerSimulatorApplication(configuration: configuration, logger: logger)
    let running = Task { try await application.run() }
    let ports = try await application.ports()
    let outcome: Result<Void, any Error>
    do {
        try await body(RunningSimulator(ports: ports, simulator: application.simulator))
        outcome = .success(())
    } catch {
        outcome = .failure(error)
    }
    running.cancel()
    _ = await running.result
    try outcome.get()
}

/// A note as the extractor sends it.
struct SentNote: Decodable, Sendable {
    struct Image: Decodable, Sendable {
        let id: String
        let filename: String
        let s3Url: String?
        let error: String?
    }

    let id: String
    let title: String
    let content: String
    let createdAt: String
    let modifiedAt: String
    let labels: [String]
    let images: [Image]
}

struct SentNotes: Decodable, Sendable {
    let notes: [SentNote]
    let count: Int
}
