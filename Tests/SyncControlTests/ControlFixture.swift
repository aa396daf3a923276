import Fernet
import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

/// What a run of `syncctl` left behind.
struct ControlResult: CustomStringConvertible {
    let code: Int32
    let output: String
    let errors: String

    var description: String { "exit \(code)\nout: \(output)\nerr: \(errors)" }

    func json<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: Data(output.utf8))
    }
}

/// The real program on a database of the test's own.
struct ControlFixture {
    let database: TestDatabase
    let environment: [String: String]

    var jobs: JobClient { JobClient(pool: database.pool) }

    init(_ changes: [String: String] = [:]) throws {
        database = try TestDatabase.current
        let settings = [
            "DATABASE_URL": database.connectionString, "AWS_ENCRYPTION_KEY": try FernetKey.generate().base64,
            "LANG": "C.UTF-8", "LC_ALL": "", "LOG_LEVEL": "", "LOG_FORMAT": "", "SYNC_STATE_DIR": "",
            // What is looked for on a terminal has no colours between its letters.
            "NO_COLOR": "1",
        ]
        environment = settings.merging(changes) { $1 }
    }

    func start(_ arguments: [String], _ changes: [String: String] = [:]) throws -> ProgramRun {
        try ProgramRun.start("syncctl", arguments, environment: environment.merging(changes) { $1 })
    }

    /// Runs the program to its end, with a text as its standard input.
    func run(
        _ arguments: String...,
        input: String = "",
        environment changes: [String: String] = [:]
    ) async throws -> ControlResult {
        let run = try start(arguments, changes)
        // A program that ends without reading makes the write fail, which is its right.
        try? run.write(input)
        run.closeInput()
        return try await result(of: run)
    }

    func result(of run: ProgramRun) async throws -> ControlResult {
        guard case .code(let code) = try await run.waitForExit() else {
            Issue.record("ended by a signal:\n\(run.transcript)")
            return ControlResult(code: -1, output: "", errors: "")
        }
        return ControlResult(
            code: code,
            output: run.standardOutput.joined(separator: "\n"),
            errors: run.standardError.joined(separator: "\n")
        )
    }

    /// Runs the program with these words to its end.
    func run(words: [String], environment changes: [String: String] = [:]) async throws -> ControlResult {
        let run = try start(words, changes)
        run.closeInput()
        return try await result(of: run)
    }

    /// Jobs that failed, one of each user `prefix1` and so on, with the same error.
    func insertFailures(_ count: Int, prefix: String = "user-", error: String = "Notion answers 503.") async throws {
        try await execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, error_message, completed_at)
            SELECT gen_random_uuid(), \(prefix)::text || n, 'failed', \(error), timezone('utc', now())
            FROM generate_series(1, \(count)) AS n
            """
        )
    }

    func count(_ status: JobStatus) async throws -> Int {
        let row = try await database.pool.query(
            "SELECT count(*) AS count FROM sync_jobs WHERE status = \(status.rawValue)"
        ).first
        return try row?.decode("count") ?? 0
    }

    func execute(_ statement: PostgresQuery) async throws {
        try await database.pool.execute(statement)
    }

    func storeCredentials(_ user: String) async throws {
        let stored = try await run("credentials", "set", user, "--database-id", "d1", input: "google\nnotion\n")
        #expect(stored.code == 0, "\(stored)")
    }

    /// A worker that is there and has slots free.
    func insertWorker() async throws {
        try await execute(
            "INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'w1', 4, '1.0')"
        )
    }

    /// A job as the gateway inserts it.
    func insertJob(user: String = "anna") async throws -> JobID {
        let id = JobID()
        try await execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes)
            VALUES (\(id.rawValue), \(user), 'queued', false, 0, 0, 0)
            """
        )
        return id
    }

    /// The job of which there is one, once it is there.
    func onlyJob() async throws -> JobID {
        var id: JobID?
        try await eventually(within: .seconds(20), "a job in the table") {
            id = try await jobs.jobs(limit: 1).first?.id
            return id != nil
        }
        return try #require(id)
    }

    func finish(_ id: JobID, _ status: JobStatus, error: String? = nil) async throws {
        try await execute(
            """
            UPDATE sync_jobs SET status = 'running', started_at = now(), attempt = 1 WHERE job_id = \(id.rawValue)
            """
        )
        try await execute(
            """
            UPDATE sync_jobs SET total_notes = 5, processed_notes = 3, failed_notes = 2, status = \(status.rawValue),
                error_message = \(error)
            WHERE job_id = \(id.rawValue)
            """
        )
    }
}

extension Trait where Self == DatabaseTrait {
    /// A migrated database of the test's own.
    static var migrated: Self { .database(migrations: SyncSchema.migrations) }
}
