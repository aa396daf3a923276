import Fernet
import Foundation
import JobQueue
import Postgres
import SyncSchema
import TestSupport
import Testing

@testable import NoteSync

/// Jobs that have ended, and what the queue knows nothing of: credentials, keys, tables.
@Suite("syncctl why: ended jobs, credentials, keys, tables", .migrated)
struct WhyEndedTests {
    @Test(
        "Each end is told with its time, and the named command tries again",
        arguments: [JobStatus.completed, .failed, .cancelled]
    )
    func ended(status: JobStatus) async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        try await control.insertWorker()
        let id = try await control.insertJob()
        try await control.finish(id, status, error: status == .failed ? "Notion does not accept the token." : nil)
        let why = try await control.why(id)
        #expect(why.since != nil && why.sentence.contains(" at 20"), "\(why)")
        switch status {
        case .completed:
            #expect(
                why.sentence.contains("3 notes processed, 2 failed. See which: syncctl failed list --user anna"),
                "\(why)"
            )
        case .failed: #expect(why.sentence.hasSuffix("in attempt 1 of 5: Notion does not accept the token."), "\(why)")
        default: break
        }
        #expect(try await control.mend(id, status.rawValue).reason == "claimable")
    }

    @Test func statusesFromOutside() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        try await control.insertWorker()
        let id = try await control.insertJob()
        try await control.execute("UPDATE sync_jobs SET status = 'running'")
        #expect(try await control.mend(id, "run_outside").reason == "claimable")
        try await control.execute("UPDATE sync_jobs SET status = 'waiting'")
        let why = try await control.why(id)
        #expect(why.status == "waiting" && why.sentence.contains("\"waiting\", which no worker knows"), "\(why)")
        #expect(try await control.mend(id, "unknown_status").reason == "claimable")
    }

    @Test func credentialsAreMissing() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let id = try await control.insertJob()
        let queued = try await control.why(id)
        #expect(queued.reason == "credentials_missing" && queued.also.map(\.reason) == ["claimable"], "\(queued)")
        #expect(queued.command == "syncctl credentials set anna --database-id ID")
        try await control.execute("UPDATE sync_workers SET last_seen_at = now() - interval '1 hour'")
        let alone = try await control.why(id)
        #expect(alone.reason == "no_worker" && alone.also.map(\.reason) == ["credentials_missing"], "\(alone)")
        try await control.execute("UPDATE sync_workers SET last_seen_at = now()")
        try await control.finish(id, .failed, error: "There are no credentials for user anna.")
        let after = try await control.mend(id, "credentials_missing", input: "google\nnotion\n")
        #expect(after.reason == "claimable", "\(after)")
    }

    @Test("A key that opens nothing is told where no worker runs, and by the jobs that failed of it")
    func wrongKey() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        let id = try await control.insertJob()
        #expect(try await control.why(id).reason == "no_worker")
        let other = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
        let why = try await control.why(id, environment: other)
        #expect(why.reason == "wrong_key" && why.also.map(\.reason) == ["no_worker"], "\(why)")
        #expect(why.command == "AWS_ENCRYPTION_KEY=KEY sync-worker")
        try await control.insertWorker()
        // Then it is the key of this command alone.
        #expect(try await control.why(id, environment: other).reason == "claimable")

        let store = CredentialStore(
            pool: control.database.pool,
            keys: FernetKeyRing(try FernetKey(base64: try #require(other["AWS_ENCRYPTION_KEY"])))
        )
        let error = await #expect(throws: NoteSyncError.self) { try await store.load(UserID("anna")) }
        try await control.finish(id, .failed, error: try #require(error).message)
        let after = try await control.mend(id, "wrong_key", input: "google\nnotion\n")
        #expect(after.reason == "claimable", "\(after)")
    }

    @Test func keysThatARoleMayNotTryAreNoReason() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        let id = try await control.insertJob()
        let roles = try await control.database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let changes = [
            "DATABASE_URL": control.database.connectionString(of: "sync_operator"),
            "AWS_ENCRYPTION_KEY": try FernetKey.generate().base64,
        ]
        #expect(try await control.why(id, environment: changes).reason == "no_worker")
        // Nor is a command without a key.
        #expect(try await control.why(id, environment: ["AWS_ENCRYPTION_KEY": ""]).reason == "no_worker")
        let secrets = CredentialStore(pool: control.database.pool, keys: FernetKeyRing(try FernetKey.generate()))
            .secrets
        _ = try await InstallationKeys(pool: control.database.pool, secrets: secrets).contentHasher()
        #expect(try await control.why(id, environment: changes).reason == "wrong_key")
    }

    /// As an operator, who may read no more than the role file says.
    @Test func anOperatorMayAsk() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        try await control.insertWorker()
        let id = try await control.insertJob()
        let roles = try await control.database.runRolesFile()
        #expect(roles.exit == .code(0), "\(roles.transcript)")
        let role = ["DATABASE_URL": control.database.connectionString(of: "sync_operator")]
        #expect(try await control.why(id, environment: role).reason == "claimable")
        try await control.execute("UPDATE sync_workers SET running = slots")
        #expect(try await control.why(id, environment: role).reason == "workers_full")
        let holder = try await control.database.connect()
        try await holder.execute("BEGIN")
        try await holder.execute("SELECT FROM sync_jobs FOR UPDATE")
        let why = try await control.why(id, environment: role)
        #expect(why.reason == "locked" && why.blocker?.pid != nil, "\(why)")
        await holder.close()
        let user = try await control.run("user", "anna", environment: role)
        #expect(user.code == 0, "\(user)")
    }
}

@Suite("syncctl why: tables that are not up to date", .database())
struct WhySchemaTests {
    @Test func schema() async throws {
        let control = try ControlFixture()
        let id = JobID()
        let why = try await control.why(id)
        #expect(why.reason == "schema_not_current" && why.command == "syncctl migrate", "\(why)")
        #expect(why.sentence.contains("0001_public_tables.sql"), "\(why)")
        let pasted = try await control.paste(try #require(why.command))
        #expect(pasted.code == 0, "\(pasted)")
        #expect(try await control.run("why", "\(id)").code == 66)
        try await control.execute("UPDATE sync_schema_migrations SET checksum = 'another' WHERE version = 1")
        let changed = try await control.why(id)
        #expect(changed.reason == "schema_not_current" && changed.command == nil, "\(changed)")
    }
}
