import CurlHTTP
import Fernet
import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

/// One of the HTTP programs on a database, with stand-ins of the peers, and what tests ask of it.
final class StatusFixture: Sendable {
    let database: TestDatabase
    let peers: ProgramRun
    let server: ProgramRun
    let address: String
    let environment: [String: String]
    private let http = HTTPClient()

    var jobs: JobClient { JobClient(pool: database.pool) }

    private init(
        database: TestDatabase,
        peers: ProgramRun,
        server: ProgramRun,
        address: String,
        environment: [String: String]
    ) {
        self.database = database
        self.peers = peers
        self.server = server
        self.address = address
        self.environment = environment
    }

    /// Starts peers and program and returns when the program listens.
    static func start(
        _ database: TestDatabase,
        program: String = "sync-sidecar",
        peerArguments: [String] = [],
        _ changes: [String: String] = [:]
    ) async throws -> StatusFixture {
        let peers = try ProgramRun.start(
            "peer-simulator",
            ["--keep-port", "0", "--writer-port", "0", "--synthetic", "30"] + peerArguments
        )
        let keep = try await announcedAddress(in: peers, "Keep Extractor on ")
        let writer = try await announcedAddress(in: peers, "Notion Writer on ")
        let environment = [
            "DATABASE_URL": database.connectionString, "KEEP_EXTRACTOR_URL": keep, "NOTION_WRITER_URL": writer,
            "AWS_ENCRYPTION_KEY": try FernetKey.generate().base64, "LOG_LEVEL": "info", "LOG_FORMAT": "human",
            "SYNC_SERVICE_HOST": "127.0.0.1", "no_proxy": "127.0.0.1", "SYNC_STATE_DIR": "",
        ].merging(unpacedSettings) { $1 }.merging(changes) { $1 }
        let (server, address) = try await startServer(program, environment)
        return StatusFixture(
            database: database,
            peers: peers,
            server: server,
            address: address,
            environment: environment
        )
    }

    /// A port that is free may be taken by somebody else a moment later; then another is tried.
    private static func startServer(_ program: String, _ environment: [String: String]) async throws -> (
        ProgramRun, String
    ) {
        for _ in 1...4 {
            let port = try freePort()
            let own = environment.merging(["SYNC_SERVICE_PORT": "\(port)"]) { $1 }
            let run = try ProgramRun.start(program, environment: own)
            try await eventually(within: .seconds(20), "the start of \(program)") {
                run.exit != nil || run.standardOutput.contains { $0.contains("Ready.") || $0.contains("Listening;") }
            }
            if run.exit == nil { return (run, "http://127.0.0.1:\(port)") }
            guard run.transcript.contains("is taken") else { throw Ended(description: run.transcript) }
        }
        throw Ended(description: "no free port was found")
    }

    struct Ended: Error, CustomStringConvertible {
        let description: String
    }

    private static func announcedAddress(in peers: ProgramRun, _ words: String) async throws -> String {
        let line = try await peers.waitForLine(containing: words)
        let address = line.dropFirst(words.count).prefix { $0 != " " }
        return String(address)
    }

    func stop() async {
        await server.kill()
        await peers.kill()
    }

    /// Runs `body` with a program on the current test's database.
    static func with(
        program: String = "sync-sidecar",
        peerArguments: [String] = [],
        _ changes: [String: String] = [:],
        _ body: (StatusFixture) async throws -> Void
    ) async throws {
        let fixture = try await start(try TestDatabase.current, program: program, peerArguments: peerArguments, changes)
        do {
            try await body(fixture)
            await fixture.stop()
        } catch {
            await fixture.stop()
            throw error
        }
    }

    var port: Int {
        get throws { try #require(address.split(separator: ":").last.flatMap { Int($0) }) }
    }

    // MARK: Asking

    func request(
        _ path: String,
        method: HTTPMethod = .get,
        headers: HTTPHeaders = [:],
        body: [UInt8]? = nil
    ) async throws -> Answer {
        let response = try await http.execute(
            HTTPRequest(
                method: method,
                url: address + path,
                headers: headers,
                body: body,
                timeout: .seconds(10),
                maximumResponseBytes: 8 << 20
            )
        )
        return Answer(response: response)
    }

    /// What the program answered.
    struct Answer {
        let response: HTTPResponse

        var status: Int { response.status }
        var text: String { String(decoding: response.body, as: UTF8.self) }

        var json: [String: Any] {
            get throws {
                let value = try JSONSerialization.jsonObject(with: Data(response.body))
                return try #require(value as? [String: Any])
            }
        }

        func header(_ name: String) -> String? { response.headers[name] }
    }

    /// Edits so many notes of the simulated Keep account.
    func editNotes(_ count: Int) async throws {
        let keep = try #require(environment["KEEP_EXTRACTOR_URL"])
        let answer = try await http.execute(
            HTTPRequest(method: .post, url: "\(keep)/simulator/notes/touch?count=\(count)")
        )
        #expect(answer.status == 200)
    }

    // MARK: Jobs

    func insertJob(user: String = "anna@example.org", full: Bool = true) async throws -> JobID {
        let id = JobID()
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes)
            VALUES (\(id.rawValue), \(user), 'queued', \(full), 0, 0, 0)
            """
        )
        return id
    }

    func storeCredentials(_ user: String = "anna@example.org", notionToken: String = "notion-token") async throws {
        let run = try ProgramRun.start(
            "syncctl",
            ["credentials", "set", user, "--database-id", "d1"],
            environment: environment
        )
        try run.write("google-token\n\(notionToken)\n")
        run.closeInput()
        #expect(try await run.waitForExit() == .code(0), "\(run.transcript)")
    }

    func withWorker(_ changes: [String: String] = [:], _ body: (ProgramRun) async throws -> Void) async throws {
        try await withProgram("sync-worker", environment: environment.merging(changes) { $1 }) { worker in
            try await worker.waitForLine(containing: "Ready.")
            try await body(worker)
        }
    }

    func waitForEnd(of id: JobID) async throws {
        try await eventually(within: .seconds(30), "the end of job \(id)") {
            try await jobs.job(id)?.status.isFinal == true
        }
    }
}

extension Trait where Self == DatabaseTrait {
    /// A migrated database of the test's own.
    static var migrated: Self { .database(migrations: SyncSchema.migrations) }
}
