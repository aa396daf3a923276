import CurlHTTP
import Fernet
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

/// The programs and the gateway, each under its role.
extension Installation {
    /// Runs `syncctl` as the operator; it must succeed.
    func control(_ arguments: String..., input: String? = nil) async throws {
        let environment = [
            "DATABASE_URL": database.connectionString(of: "sync_operator"), "AWS_ENCRYPTION_KEY": key.base64,
            "SYNC_STATE_DIR": "",
        ]
        let run = try ProgramRun.start("syncctl", arguments, environment: environment)
        if let input { try run.write(input) }
        run.closeInput()
        #expect(try await run.waitForExit() == .code(0), "syncctl \(arguments): \(run.transcript)")
    }

    func storeCredentialsAsOperator(of user: String) async throws {
        let database = Self.databaseID(of: user)
        try await control("credentials", "set", user, "--database-id", database, input: "google-token\nntn_token\n")
    }

    /// Starts a program with a port and returns its address.
    func startServer(_ product: String, as role: String) async throws -> String {
        try await startServer(product, role, ["DATABASE_URL": database.connectionString(of: role)])
    }

    /// Inserts a job and has it run, as the gateway does.
    func startAsGateway(user: String, intake: String) async throws -> JobID {
        let callers = database.pool(as: "sync_gateway")
        let start = try await Gateway(pool: callers, service: intake).startSync(user: user)
        await callers.shutdown()
        guard case .accepted(let id) = start else { throw UnexpectedAnswer(description: "\(start)") }
        return id
    }

    /// What an operator does in a day.
    func useControl(completed: JobID, failed: JobID) async throws {
        try await control("migrate", "--status")
        try await control("jobs")
        try await control("jobs", "--status", "failed", "--since", "1h", "--error", "x", "--json")
        try await control("jobs", "--cause", "4f1a0c7be2d9")
        try await control("jobs", "\(completed)", "--log")
        try await control("workers")
        try await control("top", "--json")
        try await control("notes", "failing")
        let note = try await pool.query("SELECT keep_note_id FROM sync_state WHERE user_id = 'ada' LIMIT 1")
        try await control("notes", "show", "ada", try #require(note.first).decode("keep_note_id"), "--json")
        try await control("watch", "\(completed)")
        try await control("unknown", "list")
        try await control("alerts", "list")
        try await control("retry", "\(failed)")
        try await waitForJob(failed)
        try await control("enqueue", "nobody", "--force", "--at", "+1h")
        let waiting = try await pool.query("SELECT job_id FROM sync_jobs WHERE status = 'queued'")
        try await control("cancel", "\(JobID(try #require(waiting.first).decode("job_id")))")
        try await control("retry", "--status", "failed,cancelled", "--dry-run")
        try await control("enqueue", "nobody", "--force", "--at", "+1h")
        try await control("cancel", "--user", "nobody", "--yes")
        #expect(try await count("SELECT count(*) FROM sync_jobs WHERE status = 'queued'") == 0)
        try await control("clear-state", "ada", "--yes")
        #expect(try await count("SELECT count(*) FROM sync_state") == 0)
        try await control("credentials", "list")
        try await control("credentials", "delete", "ada")
    }

    /// The routes of the status, as the sidecar and the intake answer them.
    func expectStatus(of job: JobID, at address: String) async throws {
        let http = HTTPClient()
        defer { http.shutdown() }
        for path in ["/internal/sync/status/\(job)", "/internal/sync/jobs", "/jobs/\(job)", "/metrics", "/readyz"] {
            let response = try await http.execute(HTTPRequest(url: address + path, timeout: .seconds(10)))
            #expect(response.status == 200, "\(path)")
        }
    }
}
