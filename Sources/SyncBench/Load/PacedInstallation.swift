import CurlHTTP
import Fernet
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport

/// Real workers, the simulated peers with a Notion that limits each token, and a database for a measurement.
final class PacedInstallation: Sendable {
    /// What the simulator has counted.
    struct Counts: Decodable {
        var notionRequests: Int
        var notionRefusals: Int
        var peakNotionRequestsPerTenSeconds: Int
    }

    let database: BenchDatabase
    private let simulator: ProgramRun
    private let keepURL: String
    private let writerURL: String
    private let http = HTTPClient(configuration: HTTPClientConfiguration(usesProxyFromEnvironment: false))
    private let key: FernetKey

    /// - Parameter notionRate: requests a second that Notion lets through for one token; 0: no limit.
    static func start(on database: BenchDatabase, notes: Int, notionRate: Double) async throws -> PacedInstallation {
        let simulator = try ProgramRun.start(
            "peer-simulator",
            [
                "--keep-port", "0", "--writer-port", "0", "--synthetic", String(notes), "--note-bytes", "600",
                "--concurrent-extractor", "--serial-writer", "--notion-rate", String(notionRate),
            ]
        )
        let keep = try await simulator.waitForLine(containing: "Keep Extractor on ")
        let writer = try await simulator.waitForLine(containing: "Notion Writer on ")
        return try PacedInstallation(
            database,
            simulator,
            keep: Self.address(in: keep),
            writer: Self.address(in: writer)
        )
    }

    private static func address(in line: String) -> String {
        line.split(separator: " ").first { $0.hasPrefix("http://") }.map(String.init) ?? ""
    }

    private init(_ database: BenchDatabase, _ simulator: ProgramRun, keep: String, writer: String) throws {
        self.database = database
        self.simulator = simulator
        keepURL = keep
        writerURL = writer
        key = try FernetKey.generate()
    }

    func stop() async {
        await simulator.kill()
        http.shutdown()
    }

    /// Syncs new users, each with a token of its own, on so many workers.
    ///
    /// - Returns: seconds from the first start of a job to the last end of one.
    func sync(users: Int, workers: Int, settings: [String: String]) async throws -> (seconds: Double, counts: Counts) {
        try await JobTable(database: database).clear()
        for table in ["sync_state", "sync_cursors", "sync_gates"] {
            try await database.pool.execute("TRUNCATE \(identifier: table)")
        }
        _ = try await call(.post, "/simulator/requests/reset")
        let store = CredentialStore(pool: database.pool, keys: FernetKeyRing(key))
        for user in 1...users {
            let credentials = Credentials(
                googleToken: "google",
                notionToken: "token-\(user)",
                databaseID: "database-\(user)"
            )
            try await store.store(credentials, of: UserID("user-\(user)"))
        }
        let environment = [
            "DATABASE_URL": database.url, "KEEP_EXTRACTOR_URL": keepURL, "NOTION_WRITER_URL": writerURL,
            "AWS_ENCRYPTION_KEY": key.base64, "LOG_LEVEL": "notice",
        ].merging(settings) { $1 }
        let programs = try (1...workers).map { number in
            try ProgramRun.start(
                "sync-worker",
                environment: environment.merging(["SYNC_WORKER_NAME": "w\(number)"]) { $1 }
            )
        }
        for program in programs {
            try await eventually(within: .seconds(30), "the start of a worker") {
                try await database.count(
                    "SELECT count(*) FROM sync_workers WHERE last_seen_at > now() - interval '20 s'"
                ) >= workers
                    || program.exit != nil
            }
        }
        try await JobTable(database: database).addSyncs(users)
        try await eventually(within: .seconds(600), "the end of all jobs") {
            try await database.count("SELECT count(*) FROM sync_jobs WHERE status IN ('queued', 'running')") == 0
        }
        let seconds = try await JobTable(database: database).span()
        for program in programs {
            program.send(signal: SIGTERM)
            _ = try await program.waitForExit(within: .seconds(40))
        }
        return (seconds, try await counts())
    }

    /// Pages a second that the writer makes by itself, one after another, each for a token that has made none.
    func writerRate(pages: Int) async throws -> Double {
        let began = ContinuousClock.now
        for page in 1...pages {
            let body = """
                {"api_token": "bare-\(page)", "database_id": "bare", "note": {"title": "t", "content": "c", \
                "created_at": "2026-01-02T03:04:05", "labels": [], "images": []}}
                """
            _ = try await call(.post, "/internal/notion/pages", body)
        }
        return Double(pages) / ((ContinuousClock.now - began) / .seconds(1))
    }

    private func counts() async throws -> Counts {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Counts.self, from: try await call(.get, "/simulator/requests"))
    }

    private func call(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> Data {
        let request = HTTPRequest(
            method: method,
            url: writerURL + path,
            headers: body == nil ? [:] : ["Content-Type": "application/json"],
            body: body.map { Array($0.utf8) }
        )
        let response = try await http.execute(request)
        guard response.isSuccess else { throw BenchError("\(path) answered \(response.status)") }
        return Data(response.body)
    }
}

extension JobTable {
    /// Adds a full sync of each user.
    func addSyncs(_ users: Int) async throws {
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync)
            SELECT gen_random_uuid(), 'user-' || n, 'queued', true FROM generate_series(1, \(users)) AS n
            """
        )
    }
}
