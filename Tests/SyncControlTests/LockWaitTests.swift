import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

@Suite("Who holds a lock that a command waits for", .migrated)
struct LockWaitTests {
    @Test("A role that may not see since when says so, and names the user", arguments: [true, false])
    func whatIsHidden(isOperator: Bool) async throws {
        let control = try ControlFixture()
        let roles = try await control.database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let id = try await control.insertJob()
        let holder = try await control.database.connect()
        try await holder.execute("SET application_name = 'psql of bob'")
        try await holder.execute("BEGIN")
        try await holder.execute("SELECT FROM sync_jobs FOR UPDATE")
        let pid: Int = try await holder.query("SELECT pg_backend_pid() AS pid")[0].decode("pid")
        let url =
            isOperator ? control.database.connectionString(of: "sync_operator") : control.database.connectionString
        let run = try control.start(["cancel", "\(id)"], ["DATABASE_URL": url])
        run.closeInput()
        try await eventually(within: .seconds(20), "the word on the lock") {
            run.standardError.contains { $0.contains("held by pid \(pid)") }
        }
        let line = try #require(run.standardError.first)
        #expect(line.contains("(user postgres, psql of bob, "), "\(line)")
        #expect(line.contains("pg_read_all_stats") == isOperator, "\(line)")
        #expect(line.contains("idle in transaction for") != isOperator, "\(line)")
        try await holder.execute("ROLLBACK")
        #expect(try await control.result(of: run).code == 0)
        await holder.close()
    }
}
