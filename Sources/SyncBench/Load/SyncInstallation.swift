import Fernet
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport

/// Real workers, with a peer that answers at once and a database for a measurement.
final class SyncInstallation: Sendable {
    let database: BenchDatabase
    let peer: ProgramRun
    let peerURL: String
    private let key: FernetKey

    /// Starts the peer, whose writes take `latencyMilliseconds`.
    static func start(on database: BenchDatabase, latencyMilliseconds: Int = 0) async throws -> SyncInstallation {
        let peer = try ProgramRun(
            executable: WorkerFleet.ownPath,
            ["instant-peer", "--latency-ms", String(latencyMilliseconds)]
        )
        let line = try await peer.waitForLine(containing: "Ready ")
        return try SyncInstallation(database, peer, port: String(line.dropFirst("Ready ".count)))
    }

    private init(_ database: BenchDatabase, _ peer: ProgramRun, port: String) throws {
        self.database = database
        self.peer = peer
        peerURL = "http://127.0.0.1:\(port)"
        key = try FernetKey.generate()
    }

    func stop() async {
        await peer.kill()
    }

    /// Settings of the programs of this installation, over those given.
    private func environment(_ further: [String: String]) -> [String: String] {
        [
            "DATABASE_URL": database.url, "KEEP_EXTRACTOR_URL": peerURL, "NOTION_WRITER_URL": peerURL,
            "AWS_ENCRYPTION_KEY": key.base64,
        ].merging(unpacedSettings) { $1 }.merging(further) { $1 }
    }

    /// Starts a `sync-worker`, which stands beside this program.
    func startWorker(_ settings: [String: String] = [:]) async throws -> ProgramRun {
        let worker = try ProgramRun.start("sync-worker", environment: environment(settings))
        try await worker.waitForLine(containing: "Ready.")
        return worker
    }

    /// Starts a `sync-sidecar` and gives its address.
    func startSidecar() async throws -> (program: ProgramRun, url: String) {
        let port = String(Int.random(in: 20000...30000))
        let sidecar = try ProgramRun.start("sync-sidecar", environment: environment(["SYNC_SERVICE_PORT": port]))
        try await sidecar.waitForLine(containing: "Ready")
        return (sidecar, "http://127.0.0.1:\(port)")
    }

    /// Ends a program as a supervisor would.
    func stop(_ program: ProgramRun) async throws {
        program.send(signal: SIGTERM)
        let exit = try await program.waitForExit(within: .seconds(40))
        guard exit == .code(0) else { throw BenchError("a program did not end well:\n\(program.transcript)") }
    }

    /// Stores credentials of users; the secrets of all are the same.
    func addUsers(_ users: [String]) async throws {
        guard let first = users.first else { return }
        let store = CredentialStore(pool: database.pool, keys: FernetKeyRing(key))
        let credentials = Credentials(googleToken: "google", notionToken: "notion", databaseID: "database")
        try await store.store(credentials, of: UserID(first))
        try await database.pool.execute(
            """
            INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
            SELECT u, google_oauth_token, notion_api_token, notion_database_id
            FROM unnest(\(users)) AS u, credentials AS c WHERE c.user_id = \(first)
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// Puts a job of each user into the queue, in one statement.
    func enqueue(_ users: [String], full: Bool) async throws {
        try await database.pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync)
            SELECT gen_random_uuid(), u, 'queued', \(full) FROM unnest(\(users)) AS u
            """
        )
    }

    /// Waits until every job has ended, and well.
    ///
    /// - Parameter users: those whose jobs must have ended well; nil: all.
    func waitUntilDone(
        within limit: Duration = .seconds(600),
        of users: [String]? = nil,
        _ progress: (Double) -> Void = { _ in }
    ) async throws {
        var looked = ContinuousClock.now
        try await eventually(within: limit, "the end of all jobs") {
            // Looking costs the server something; ten times a second is seldom enough.
            guard ContinuousClock.now - looked > .milliseconds(100) else { return false }
            looked = .now
            let row = try await database.pool.query(
                """
                SELECT count(*) AS open, coalesce(sum(j.processed_notes), 0)::float8 AS processed,
                    coalesce(sum(j.total_notes), 0)::float8 AS total
                FROM sync_queue AS q JOIN sync_jobs AS j ON j.job_id = q.job_id
                """
            ).first
            guard let row else { return false }
            let total: Double = try row.decode("total")
            if total > 0 { progress(try row.decode("processed", as: Double.self) / total) }
            return try row.decode("open", as: Int.self) == 0
        }
        let failed: Int
        if let users {
            failed = try await database.count(
                """
                SELECT count(*) FROM sync_jobs
                WHERE user_id = ANY (\(users)) AND (status <> 'completed' OR failed_notes > 0)
                """
            )
        } else {
            failed = try await database.count(
                "SELECT count(*) FROM sync_jobs WHERE status <> 'completed' OR failed_notes > 0"
            )
        }
        guard failed == 0 else { throw BenchError("\(failed) jobs did not succeed; their reasons are in sync_logs") }
    }

    /// Forgets the jobs so far, and their logs.
    func clearJobs() async throws {
        try await JobTable(database: database).clear()
        for table in ["sync_jobs", "sync_queue", "sync_state", "sync_logs"] { try await database.settle(table) }
    }

    /// Seconds from the first start to the last end of a job.
    func span() async throws -> Double {
        try await JobTable(database: database).span()
    }

    /// Seconds that the bare calls of a sync take, by the service's HTTP client in a process of its own.
    func bareCalls(_ kind: BareCallsCommand.Kind, count: Int, concurrency: Int, bytes: Int = 2000) async throws
        -> Double
    {
        let run = try ProgramRun(
            executable: WorkerFleet.ownPath,
            [
                "bare-calls", "--url", peerURL, "--kind", kind.rawValue, "--count", String(count),
                "--concurrency", String(concurrency), "--bytes", String(bytes),
            ]
        )
        let line = try await run.waitForLine(containing: "seconds ", within: .seconds(600))
        try await run.waitForExit()
        guard let seconds = Double(line.dropFirst("seconds ".count)) else { throw BenchError(run.transcript) }
        return seconds
    }
}
