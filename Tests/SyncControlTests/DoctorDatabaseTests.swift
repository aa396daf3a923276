import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

/// What `syncctl doctor` finds in the database beside what the verdict goes by, and that the command which it names
/// mends it.
@Suite(.migrated)
struct DoctorDatabaseTests {
    /// Each is broken in the catalogs, and mended by the command that is named.
    @Test func whatSlowsTheDatabase() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.execute("ALTER TABLE sync_queue SET (autovacuum_enabled = off)")
        try await control.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sync_jobs_recent'::regclass"
        )
        let doctor = try await control.doctor(code: 1)
        let environment = ["ADMIN_URL": control.database.connectionString]
        let mending = try ControlFixture(environment.merging(control.environment) { $1 })
        for (name, word) in [("autovacuum", "sync_queue"), ("indexes", "sync_jobs_recent")] {
            let check = try doctor.check(name)
            #expect(check.outcome == "wrong" && check.sentence.contains(word), "\(check)")
            let pasted = try await mending.paste(try #require(check.command))
            #expect(pasted.code == 0, "\(pasted)")
        }
        let mended = try await control.doctor(code: 0)
        #expect(try mended.check("autovacuum").outcome == "ok" && mended.check("indexes").outcome == "ok", "\(mended)")
    }

    @Test func recordAndQueueDoNotAgree() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.storeCredentials("anna")
        let job = try await control.insertJob()
        try await control.execute("DELETE FROM sync_queue WHERE job_id = \(job.rawValue)")
        let queue = try await control.doctor(code: 1).check("queue")
        #expect(queue.sentence.contains("1 missing (job \(job))"), "\(queue)")
        #expect(try await control.paste(try #require(queue.command)).code == 0)
        #expect(try await control.doctor(code: 0).check("queue").outcome == "ok")
    }

    @Test func aLeaseThatNobodyTakesOver() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        let job = try await control.insertJob()
        try await control.execute(
            "UPDATE sync_jobs SET status = 'running', lease = 1, worker = 'w1' WHERE job_id = \(job.rawValue)"
        )
        try await control.execute(
            "UPDATE sync_queue SET lease = 1, lease_expires_at = now() - interval '2 minutes' WHERE job_id = \(job.rawValue)"
        )
        let doctor = try await control.doctor(code: 1)
        #expect(try doctor.check("leases").sentence.hasPrefix("The leases of 1 job have ended"), "\(doctor)")
        #expect(try doctor.check("workers").sentence == "No worker is running; 1 job was begun", "\(doctor)")
    }

    @Test func aTableThatSomebodyHasLocked() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let other = try await control.database.connect()
        try await other.runScript("BEGIN; LOCK TABLE sync_queue")
        // What can't be read is said within seconds, and who keeps it.
        let doctor = try await control.doctor(code: 1)
        #expect(doctor.verdict.hasPrefix("What the tables hold can't be read"), "\(doctor)")
        let lock = try doctor.check("locks")
        #expect(lock.outcome == "warning" && lock.sentence.contains("has locked sync_queue since"), "\(lock)")
        let pasted = try await control.paste(try #require(lock.command))
        #expect(pasted.code == 0, "\(pasted)")
        #expect(try await control.doctor(code: 0).check("locks").outcome == "ok")
        await other.close()
    }

    @Test func channelsOfAlerts() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.execute(
            """
            INSERT INTO sync_alert_channels (channel, target, disabled_at, disabled_reason)
            VALUES ('slack', 'x', now(), 'The address is gone.'), ('webhook', 'y', NULL, NULL)
            """
        )
        let doctor = try await control.doctor(code: 1)
        let lines = doctor.checks.filter { $0.check == "channels" }
        #expect(lines.map(\.outcome) == ["wrong", "ok"] && lines[0].command == "syncctl alerts test slack", "\(lines)")
        try await control.execute(
            "INSERT INTO sync_alerts (key, kind, count, first_at, last_at) VALUES ('a', 'user_failing', 1, now(), now())"
        )
        #expect(try await control.doctor(code: 1).check("alerts").sentence == "An alert is open: user failing")
    }
}
