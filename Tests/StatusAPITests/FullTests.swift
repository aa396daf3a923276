import CurlHTTP
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

/// What needs more than PostgreSQL: tools that `deploy/test --full` installs and names in these variables.
enum FullTools {
    static let promtool = variable("SYNC_TEST_PROMTOOL")
    /// A Python with schemathesis and selenium.
    static let python = variable("SYNC_TEST_PYTHON")

    private static func variable(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}

@Suite("With tools", .migrated)
struct FullTests {
    @Test(.enabled(if: FullTools.promtool != nil, "deploy/test --full"))
    func promtoolFindsNoFault() async throws {
        try await StatusFixture.with { fixture in
            try await fixture.storeCredentials()
            let id = try await fixture.insertJob()
            try await fixture.withWorker { worker in
                try await fixture.waitForEnd(of: id)
                worker.send(signal: SIGTERM)
                try await worker.waitForExit()
            }
            _ = try await fixture.request("/health")
            let text = try await fixture.request("/metrics").text
            #expect(text.contains("sync_peer_request_seconds_bucket"))
            let run = try ProgramRun(executable: try #require(FullTools.promtool), ["check", "metrics"])
            try run.write(text)
            run.closeInput()
            #expect(try await run.waitForExit() == .code(0), "\(run.transcript)")
        }
    }

    @Test(.enabled(if: FullTools.python != nil, "deploy/test --full"), arguments: ["sync-sidecar", "sync-intake"])
    func answersAreAsTheDescriptionSays(program: String) async throws {
        try await StatusFixture.with(program: program) { fixture in
            for number in 0..<60 { _ = try await fixture.insertJob(user: "user\(number % 7)@example.org") }
            try await fixture.database.pool.execute(
                "UPDATE sync_jobs SET status = 'failed', error_message = 'why' WHERE user_id < 'user3'"
            )
            // It leaves notes for itself in the working folder.
            let folder = FileManager.default.temporaryDirectory.appending(path: "schemathesis-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            if program == "sync-intake" {
                // It is read from the working folder.
                let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts")
                let name = "schemathesis.toml"
                try FileManager.default.copyItem(at: scripts.appending(path: name), to: folder.appending(path: name))
            }
            let run = try ProgramRun(
                executable: "/bin/sh",
                [
                    "-c", "cd \"$0\" && exec \"$@\"", folder.path, try #require(FullTools.python),
                    "-m", "schemathesis.cli", "run", fixture.address + "/openapi.json", "--max-examples", "50",
                    "--generation-deterministic", "--no-color", "--report", "har", "--report-har-path", "report.har",
                ],
                environment: ["no_proxy": "127.0.0.1", "HYPOTHESIS_STORAGE_DIRECTORY": folder.path]
            )
            #expect(try await run.waitForExit(within: .seconds(120)) == .code(0), "\(run.transcript)")
            let report = folder.appending(path: "report.har")
            let statuses = try answers(to: "/internal/sync/status/", in: report)
            // With a route that makes jobs, nearly every identifier that is tried is one of a job.
            let expected: Set = program == "sync-intake" ? [200, 400] : [200, 400, 404]
            #expect(statuses.isSuperset(of: expected), "\(statuses)")
            if program == "sync-intake" {
                let starts = try answers(to: "/internal/sync/execute", in: report)
                #expect(starts.isSuperset(of: [200, 405, 422]), "\(starts)")
                let aborts = try answers(to: "/internal/sync/abort/", in: report)
                #expect(aborts.isSuperset(of: [200, 400, 405]), "\(aborts)")
            }
            try FileManager.default.removeItem(at: folder)
        }
    }

    /// The statuses that requests to a path got, by the HTTP archive of a run.
    private func answers(to path: String, in archive: URL) throws -> Set<Int> {
        struct Archive: Decodable {
            struct Entry: Decodable {
                struct Request: Decodable { let url: String }
                struct Response: Decodable { let status: Int }
                let request: Request
                let response: Response
            }
            struct Log: Decodable { let entries: [Entry] }
            let log: Log
        }
        let entries = try JSONDecoder().decode(Archive.self, from: Data(contentsOf: archive)).log.entries
        return Set(entries.filter { $0.request.url.contains(path) }.map(\.response.status))
    }

    @Test(.enabled(if: FullTools.python != nil, "deploy/test --full"))
    func thePageInABrowser() async throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts/status_page.py").path
        // A second a page: 30 notes, four at a time, and so some seconds to look on.
        try await StatusFixture.with(peerArguments: ["--latency-ms", "2000"]) { fixture in
            try await fixture.storeCredentials()
            try await fixture.storeCredentials("bad@example.org", notionToken: "bad-token")
            let id = try await fixture.insertJob()
            try await fixture.withWorker { _ in
                let browser = try ProgramRun(
                    executable: try #require(FullTools.python),
                    [script, fixture.address, "\(id)"]
                )
                try await browser.waitForLine(containing: "progress moves", within: .seconds(60))
                _ = try await fixture.insertJob(user: "bad@example.org")
                try await browser.waitForLine(containing: "nothing from outside", within: .seconds(90))
                fixture.server.send(signal: SIGTERM)
                try await browser.waitForLine(containing: "stale notice", within: .seconds(60))
                #expect(try await browser.waitForExit() == .code(0), "\(browser.transcript)")
            }
        }
    }
}
