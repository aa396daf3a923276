import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

/// Setting the roles up as README says.
extension TestDatabase {
    /// Makes roles, owns the database, and is no superuser.
    static let administrator = "dba"

    /// Runs `body` with a database whose roles are set up, on a server of its own: roles belong to a whole server.
    static func withRoles(_ body: (TestDatabase) async throws -> Void) async throws {
        let cluster = try await PrivateCluster.start()
        let database = try await cluster.createDatabase()
        try await database.setUpRoles()
        try await body(database)
        await database.pool.shutdown()
        try await cluster.remove()
    }

    func setUpRoles() async throws {
        try await makeAdministrator()
        let preparation = try await runRolesFile("prepare=yes", as: Self.administrator)
        #expect(preparation.exit == .code(0), "\(preparation.transcript)")
        try await migrateAsOwner()
        for _ in 1...2 {
            let run = try await runRolesFile(as: Self.administrator)
            #expect(run.exit == .code(0), "\(run.transcript)")
            let isVerified = run.standardOutput.contains { $0.contains("rights of 6 roles granted and verified.") }
            #expect(isVerified, "\(run.transcript)")
        }
    }

    func makeAdministrator() async throws {
        try await runAsSuperuser(
            """
            CREATE ROLE \(Self.administrator) LOGIN CREATEROLE;
            ALTER DATABASE \(name) OWNER TO \(Self.administrator);
            ALTER SCHEMA public OWNER TO \(Self.administrator);
            """
        )
    }

    func migrateAsOwner() async throws {
        let environment = [
            "DATABASE_URL": connectionString(of: Self.administrator), "PGOPTIONS": "-c role=sync_owner",
        ]
        let run = try ProgramRun.start("syncctl", ["migrate"], environment: environment)
        #expect(try await run.waitForExit() == .code(0), "\(run.transcript)")
    }

    func runAsSuperuser(_ sql: String) async throws {
        let connection = try await connect()
        try await connection.runScript(sql)
        await connection.close()
    }

    /// Puts a job into the queue as the gateway does.
    func insertJob(of user: String, as role: String = "sync_gateway") async throws -> JobID {
        let id = JobID()
        let gateway = try await connect(as: role)
        try await gateway.execute(
            """
            INSERT INTO sync_jobs (job_id, user_id, status, full_sync, total_notes, processed_notes, failed_notes,
                error_message, completed_at)
            VALUES (\(id.rawValue), \(user), 'queued', false, 0, 0, 0, NULL, NULL)
            """
        )
        await gateway.close()
        return id
    }
}

extension PostgresConnection {
    /// What a statement is refused with, nil if it is not. It is undone.
    func refusal(of sql: String) async throws -> SQLState? {
        do {
            try await runScript("BEGIN READ WRITE; \(sql); ROLLBACK")
            return nil
        } catch let error as PostgresError {
            try await runScript("ROLLBACK")
            return error.sqlState
        }
    }
}
