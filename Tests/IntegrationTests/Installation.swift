import Fernet
import Foundation
import JobQueue
import NoteSync
import Postgres
import Support
import SyncSchema
import TestSupport

/// What a worker has around it: a database of its own, the simulated peers, the key of the credentials.
final class Installation: Sendable {
    let database: TestDatabase
    let peers: SimulatedPeers
    let key: FernetKey
    private let programs = Mutex<[(name: String, run: ProgramRun)]>([])

    var pool: PostgresPool { database.pool }
    var jobs: JobClient { JobClient(pool: pool) }

    private init(database: TestDatabase, peers: SimulatedPeers) throws {
        self.database = database
        self.peers = peers
        key = try FernetKey.generate()
    }

    /// Runs `body` in a new installation and takes it down afterwards.
    ///
    /// - Parameters:
    ///   - notes: notes of the simulated Keep account; every user sees the same.
    ///   - simulator: further arguments of `peer-simulator`.
    ///   - cluster: a server of the test's own; nil for the shared one.
    static func with(
        notes: Int,
        simulator: [String] = [],
        cluster: PrivateCluster? = nil,
        migrations: [Migration] = SyncSchema.migrations,
        _ body: (Installation) async throws -> Void
    ) async throws {
        let server = if let cluster { cluster } else { try await PrivateCluster.shared() }
        let installation = try Installation(
            database: try await server.createDatabase(migrations: migrations),
            peers: try await SimulatedPeers.start(notes: notes, arguments: simulator)
        )
        do {
            try await body(installation)
        } catch {
            let words = installation.transcripts
            try await installation.takeDown()
            throw InstallationFailed(error: error, transcripts: words)
        }
        try await installation.takeDown()
    }

    private func takeDown() async throws {
        for (_, run) in programs.withLock({ $0 }) { await run.kill() }
        await peers.program.kill()
        await pool.shutdown()
        try await database.drop()
    }

    // MARK: Workers

    /// Starts a worker and waits until it is ready.
    @discardableResult
    func startWorker(_ name: String, _ environment: [String: String] = [:]) async throws -> ProgramRun {
        let run = try launchWorker(name, environment)
        try await run.waitForLine(containing: "Ready.")
        return run
    }

    /// Starts a worker that need not become ready.
    ///
    /// - Parameters:
    ///   - openFiles: arguments of the shell's `ulimit` for it.
    ///   - command: what runs it, as its last argument.
    func launchWorker(
        _ name: String,
        _ environment: [String: String] = [:],
        openFiles: String? = nil,
        by command: [String]? = nil,
        readsOutput: Bool = true
    ) throws -> ProgramRun {
        let limit = openFiles.map { ["/bin/sh", "-c", "ulimit \($0) && exec \"$0\""] }
        let words = (command ?? limit ?? []) + [ProgramRun.path(of: "sync-worker")]
        let run = try ProgramRun(
            executable: words[0],
            Array(words.dropFirst()),
            environment: self.environment(name).merging(environment) { $1 },
            readsOutput: readsOutput
        )
        programs.withLock { $0.append((name, run)) }
        return run
    }

    /// Short leases and waits, so that what takes minutes in earnest takes seconds here.
    private func environment(_ name: String) -> [String: String] {
        [
            "DATABASE_URL": database.connectionString + "?application_name=\(name)",
            "KEEP_EXTRACTOR_URL": peers.keepURL,
            "NOTION_WRITER_URL": peers.writerURL,
            "AWS_ENCRYPTION_KEY": key.base64,
            "SYNC_WORKER_NAME": name,
            "SYNC_LEASE": "3s",
            "SYNC_POLL_INTERVAL": "1s",
            "SYNC_JOB_BACKOFF_BASE": "50ms",
            "SYNC_JOB_BACKOFF_CAP": "200ms",
            "NOTION_WRITER_TIMEOUT": "3s",
            "SYNC_UNKNOWN_COOLDOWN": "200ms",
            "SYNC_NOTE_BACKOFF_BASE": "20ms",
            "SYNC_NOTE_BACKOFF_CAP": "100ms",
        ].merging(unpacedSettings) { $1 }
    }

    // MARK: The intake and the sidecar

    /// Starts an intake and returns its address.
    func startIntake(_ name: String, _ environment: [String: String] = [:]) async throws -> String {
        try await startServer("sync-intake", name, environment)
    }

    /// Starts a program with a port and returns its address. A port that is free may be taken by somebody else a moment
    /// later; then another is tried.
    func startServer(_ product: String, _ name: String, _ environment: [String: String]) async throws -> String {
        for _ in 1...4 {
            let port = try freePort()
            let run = try ProgramRun.start(
                product,
                environment: self.environment(name).merging(["SYNC_SERVICE_PORT": "\(port)"]) { $1 }
                    .merging(environment) { $1 }
            )
            programs.withLock { $0.append((name, run)) }
            try await eventually(within: .seconds(20), "the start of \(name)") {
                run.exit != nil || run.standardOutput.contains { $0.contains("Ready.") || $0.contains("Listening;") }
            }
            if run.exit == nil { return "http://127.0.0.1:\(port)" }
        }
        throw UnexpectedAnswer(description: "no free port was found")
    }

    /// A program that was started under this name.
    func program(_ name: String) -> ProgramRun? {
        programs.withLock { $0.last { $0.name == name }?.run }
    }

    /// Waits until no worker has a job in its hands, cancelled ones included.
    func waitForIdleWorkers() async throws {
        try await eventually(within: .seconds(20), "the workers to be idle") {
            try await count("SELECT coalesce(sum(running), 0) FROM sync_workers") == 0
        }
    }

    // MARK: Users and jobs

    static func databaseID(of user: String) -> String { "db-\(user)" }

    func addUser(_ user: String, googleToken: String = "google-token", notionToken: String = "ntn_token") async throws {
        let store = CredentialStore(pool: pool, keys: FernetKeyRing(key))
        try await store.store(
            Credentials(googleToken: googleToken, notionToken: notionToken, databaseID: Self.databaseID(of: user)),
            of: UserID(user)
        )
    }

    /// Puts a job into the queue exactly as the gateway does.
    @discardableResult
    func insertJob(_ user: String, full: Bool = false) async throws -> JobID {
        let id = JobID()
        try await pool.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                error_message, completed_at)
            VALUES (\(id.rawValue), \(user), 'queued', \(full), 0, 0, 0, NULL, NULL)
            """
        )
        return id
    }

    func job(_ id: JobID) async throws -> JobRecord {
        guard let job = try await jobs.job(id) else { throw JobQueueError(.jobNotFound, "there is no job \(id)") }
        return job
    }

    /// What an operator does in psql.
    func setStatus(_ status: String, of id: JobID) async throws {
        try await pool.execute("UPDATE sync_jobs SET status = \(status) WHERE job_id = \(id.rawValue)")
    }

    @discardableResult
    func waitForJob(
        _ id: JobID,
        within limit: Duration = .seconds(30),
        _ what: String = "the end of the job",
        until condition: (JobRecord) -> Bool = { $0.status.isFinal }
    ) async throws -> JobRecord {
        var record: JobRecord?
        try await eventually(within: limit, what) {
            record = try await whileConnected { try await job(id) }
            return record.map(condition) ?? false
        }
        return try await job(id)
    }

    /// Waits until no job is queued or running any more.
    func waitForAllJobs(within limit: Duration = .seconds(60)) async throws {
        try await eventually(within: limit, "the end of all jobs") {
            let open = try await whileConnected {
                try await count("SELECT count(*) FROM sync_jobs WHERE status IN ('queued', 'running')")
            }
            return open == 0
        }
    }

    /// Waits until the writer has answered so many calls since the counts began.
    func waitForWrites(_ number: Int, within limit: Duration = .seconds(20)) async throws {
        try await eventually(within: limit, "\(number) calls of the writer") {
            try await peers.requests().writes >= number
        }
    }

    func count(_ query: PostgresQuery) async throws -> Int {
        try await pool.query(query).first?.decode(at: 0) ?? -1
    }

    func statuses() async throws -> [String: Int] {
        let rows = try await pool.query("SELECT status, count(*) AS jobs FROM sync_jobs GROUP BY status")
        return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.decode("status"), try $0.decode("jobs")) })
    }

    /// The result of a query, or nil while the database is away.
    private func whileConnected<Value>(_ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch let error as PostgresError where error.isConnectionFailure || error.isRetryable {
            return nil
        }
    }

    private var transcripts: String {
        programs.withLock { programs in
            programs.map { program in
                let lines = program.run.standardOutput.suffix(40) + program.run.standardError.suffix(10)
                return "--- \(program.name)\n" + lines.joined(separator: "\n")
            }.joined(separator: "\n")
        }
    }
}

/// What went wrong in a test, and what the programs said last.
private struct InstallationFailed: Error, CustomStringConvertible {
    let error: any Error
    let transcripts: String

    var description: String { "\(error)\n\(transcripts)" }
}
