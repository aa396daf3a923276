import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

/// Changes that the server has made and that no standby confirms, as an operator or a failover ends the wait for it.
@Suite("What a person sees when a change is not confirmed", .timeLimit(.minutes(3)))
struct UnconfirmedTests {
    private struct Server {
        let cluster: PrivateCluster
        let database: TestDatabase

        /// Runs a command until its commit waits, ends that wait, and gives what the command left behind.
        func run(_ command: [String], ending: PostgresQuery) async throws -> ControlResult {
            let run = try ProgramRun.start(
                "syncctl",
                command,
                environment: ["DATABASE_URL": database.connectionString, "LOG_LEVEL": "", "LOG_FORMAT": ""]
            )
            run.closeInput()
            try await eventually(within: .seconds(30), "a commit that waits") {
                try await !database.pool.query(ending).isEmpty
            }
            let exit = try await run.waitForExit()
            guard case .code(let code) = exit else {
                Issue.record("ended by a signal:\n\(run.transcript)")
                return ControlResult(code: -1, output: "", errors: "")
            }
            return ControlResult(
                code: code,
                output: run.standardOutput.joined(separator: "\n"),
                errors: run.standardError.joined(separator: "\n")
            )
        }
    }

    private static let cancel: PostgresQuery = """
        SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE wait_event = 'SyncRep' AND application_name = 'syncctl'
        """
    private static let terminate: PostgresQuery = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event = 'SyncRep' AND application_name = 'syncctl'
        """

    private func withServer(_ body: (Server) async throws -> Void) async throws {
        let cluster = try await PrivateCluster.start()
        let database = try await cluster.createDatabase(migrations: SyncSchema.migrations)
        try await cluster.setSynchronous(true)
        try await body(Server(cluster: cluster, database: database))
        await database.pool.shutdown()
        try await cluster.remove()
    }

    @Test("The id of a job that may be in the queue is printed, with how to look", arguments: [true, false])
    func enqueue(isCancelled: Bool) async throws {
        try await withServer { server in
            let ending = isCancelled ? Self.cancel : Self.terminate
            let result = try await server.run(["enqueue", "anna", "--force"], ending: ending)
            #expect(result.code == 69, "\(result)")
            let id = try #require(JobID(parsing: result.output), "\(result)")
            #expect(try await JobClient(pool: server.database.pool).job(id)?.status == .queued)
            #expect(result.errors.contains("syncctl jobs \(id)"), "\(result)")
            #expect(result.errors.contains("done here, and a failover may undo it"), "\(result)")
            #expect(!result.errors.contains("Start the database"), "\(result)")
            let json = try await server.run(["enqueue", "anna", "--force", "--wait", "--json"], ending: ending)
            #expect(json.code == 69 && json.output.contains(#""status":"unknown""#), "\(json)")
        }
    }

    @Test("Whatever else is changed: done or not is not claimed, and how to look is said")
    func others() async throws {
        try await withServer { server in
            let job = JobID()
            let outside = try await server.database.connect()
            try await outside.execute("SET synchronous_commit = local")
            try await outside.execute(
                "INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(job.rawValue), 'anna', 'queued')"
            )
            try await outside.execute(
                """
                INSERT INTO credentials (user_id, google_oauth_token, notion_api_token, notion_database_id)
                VALUES ('anna', '', '', 'd')
                """
            )
            try await outside.execute(
                """
                INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, last_synced_at, keep_modified_at)
                VALUES ('anna', 'n', 'p', now(), now())
                """
            )
            await outside.close()
            let commands: [([String], String)] = [
                (["cancel", "\(job)"], "syncctl jobs \(job)"), (["retry", "\(job)"], "syncctl jobs \(job)"),
                (["credentials", "delete", "anna"], "syncctl credentials list"),
                (["clear-state", "anna", "--yes"], "run it again"),
            ]
            for (command, check) in commands {
                let result = try await server.run(command, ending: Self.cancel)
                #expect(result.code == 69 && result.output.isEmpty, "\(result)")
                #expect(result.errors.contains(check) && !result.errors.contains("Start the database"), "\(result)")
            }
        }
    }
}
