import Fernet
import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

/// What `syncctl doctor` prints with `--json`.
struct DoctorJSON: Decodable {
    struct Check: Decodable {
        var check: String
        var outcome: String
        var code: String?
        var sentence: String
        var advice: String?
        var command: String?
    }

    var verdict: String
    var outcome: String
    var checks: [Check]

    func check(_ name: String, code: String? = nil) throws -> Check {
        try #require(checks.first { $0.check == name && (code == nil || $0.code == code) }, "\(name) of \(checks)")
    }
}

extension ControlFixture {
    func doctor(code: Int32, environment: [String: String] = [:]) async throws -> DoctorJSON {
        let run = try await run("doctor", "--json", environment: environment)
        #expect(run.code == code && run.errors.isEmpty, "\(run)")
        return try run.json()
    }
}

/// What `syncctl doctor` finds, and that the command which it names mends it.
@Suite(.migrated)
struct DoctorCommandTests {
    @Test func whereAllIsWellEachCheckIsOkOrSaysWhyItWasNotMade() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.execute(
            "INSERT INTO sync_throughput (minute, worker, completed) VALUES (date_trunc('minute', now()), 'w1', 3)"
        )
        let doctor = try await control.doctor(code: 0)
        #expect(doctor.verdict == "All is well; 3 jobs completed in the last hour.", "\(doctor)")
        #expect(
            Set(doctor.checks.map(\.check)).isSuperset(
                of: DatabaseChecks.names + ["temporary_folder", "peers", "work"]
            )
        )
        // Nobody has set the peers' addresses here, nothing is stored that a key opens, and nobody is told of anything.
        #expect(try doctor.check("peers").sentence.contains("KEEP_EXTRACTOR_URL is not set here"), "\(doctor)")
        #expect(try doctor.check("key").outcome == "not_checked")
        let warned = Set(doctor.checks.filter { $0.outcome == "warning" }.map(\.check))
        #expect(warned == ["channels"] && !doctor.checks.contains { $0.outcome == "wrong" }, "\(doctor)")
    }

    @Test(.timeLimit(.minutes(1))) func aDeadDatabaseIsALine() async throws {
        let control = try ControlFixture()
        let address = "postgresql://127.0.0.1:\(try freePort())/nothing"
        let doctor = try await control.doctor(code: 1, environment: ["DATABASE_URL": address])
        let database = try doctor.check("database")
        #expect(database.outcome == "wrong" && database.sentence.contains("Start the database"), "\(doctor)")
        #expect(doctor.verdict.contains("refused"), "\(doctor)")
        for name in DatabaseChecks.names { #expect(try doctor.check(name).outcome == "not_checked", "\(name)") }
    }

    @Test func tablesThatAreNotThere() async throws {
        let control = try ControlFixture()
        let database = try await PrivateCluster.shared().createDatabase()
        let environment = ["DATABASE_URL": database.connectionString]
        let doctor = try await control.doctor(code: 1, environment: environment)
        let schema = try doctor.check("schema")
        #expect(schema.code == "schema_not_current" && schema.command == "syncctl migrate", "\(doctor)")
        #expect(doctor.verdict.contains("syncctl migrate") && doctor.outcome == "wrong", "\(doctor)")
        #expect(try await control.run("migrate", environment: environment).code == 0)
        let mended = try await control.doctor(code: 0, environment: environment)
        #expect(try mended.check("schema").outcome == "ok")
        await database.pool.shutdown()
        try await database.drop()
    }

    @Test func nobodyWorksOnWhatIsDue() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        _ = try await control.insertJob()
        let doctor = try await control.doctor(code: 1)
        let workers = try doctor.check("workers")
        #expect(
            workers.outcome == "wrong" && workers.code == "no_worker" && workers.command == "sync-worker",
            "\(doctor)"
        )
        #expect(doctor.verdict.hasPrefix("No worker is running; 1 job is due, the first since"), "\(doctor)")
        try await control.insertWorker()
        #expect(try await control.doctor(code: 0).check("workers").outcome == "ok")
    }

    @Test func whatWaitsIsSaidByItsReason() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        for user in ["anna", "bert", "carl", "dora", "emil"] { try await control.storeCredentials(user) }
        let running = try await control.insertJob(user: "anna")
        let parked = try await control.insertJob(user: "anna")
        let later = try await control.insertJob(user: "bert")
        let retried = try await control.insertJob(user: "carl")
        for job in [later, retried] {
            try await control.execute(
                "UPDATE sync_jobs SET run_at = now() + interval '1 hour' WHERE job_id = \(job.rawValue)"
            )
        }
        try await control.execute(
            "UPDATE sync_jobs SET attempt = 1, last_error = 'Why.' WHERE job_id = \(retried.rawValue)"
        )
        try await control.execute(
            "UPDATE sync_queue SET lease = 1, lease_expires_at = now() + interval '1 hour' WHERE job_id = \(running.rawValue)"
        )
        try await control.execute(
            "UPDATE sync_jobs SET status = 'running', lease = 1, worker = 'w1' WHERE job_id = \(running.rawValue)"
        )
        try await control.execute("UPDATE sync_queue SET is_parked = true WHERE job_id = \(parked.rawValue)")
        let verdict = try await control.doctor(code: 0).verdict
        let words = [
            "All is well; 0 jobs completed in the last hour", "1 runs", "1 waits behind a running job of its user",
            "1 is due later", "1 is tried again after a fault, the first at ",
        ]
        for word in words { #expect(verdict.contains(word), "\(word): \(verdict)") }
    }

    @Test func aPausedUserAndTheCommandThatResumes() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.storeCredentials("anna o'neil")
        _ = try await control.insertJob(user: "anna o'neil")
        #expect(try await control.run("pause", "--user", "anna o'neil", "--reason", "She asked.").code == 0)
        let doctor = try await control.doctor(code: 0)
        let pause = try doctor.check("pauses")
        #expect(pause.code == "users_paused" && pause.outcome == "warning", "\(doctor)")
        #expect(pause.sentence.contains("until somebody resumes: She asked; 1 job waits"), "\(pause)")
        #expect(doctor.verdict.hasPrefix("User anna o'neil is paused, by "), "\(doctor)")
        let pasted = try await control.paste(try #require(pause.command))
        #expect(pasted.code == 0, "\(pasted)")
        #expect(try await control.doctor(code: 0).check("pauses").outcome == "ok")
    }

    @Test(arguments: ["all", "peer"]) func everythingIsPaused(scope: String) async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.storeCredentials("anna")
        _ = try await control.insertJob()
        let words = scope == "all" ? ["pause", "all"] : ["pause", "--peer", "notion_writer"]
        let run = try control.start(words + ["--reason", "r"])
        run.closeInput()
        #expect(try await run.waitForExit() == .code(0), "\(run.transcript)")
        let pause = try await control.doctor(code: 0).check("pauses")
        #expect(pause.code == "everything_paused" && pause.sentence.contains("1 job waits"), "\(pause)")
        #expect(try await control.paste(try #require(pause.command)).code == 0)
        #expect(try await control.doctor(code: 0).check("pauses").outcome == "ok")
    }

    @Test func aClosedGateAndAnOpenBreaker() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        #expect(
            try await control.run("gates", "close", "notion_writer", "--for", "1h", "--reason", "We move.").code == 0
        )
        let closed = try await control.doctor(code: 0).check("gates")
        #expect(closed.code == "gate_closed" && closed.sentence.contains("We move; no job waits"), "\(closed)")
        #expect(try await control.paste(try #require(closed.command)).code == 0)
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, opened_at, opened_reason, probe_at, cooldown)
            VALUES ('keep_extractor', now(), 'GET /internal/keep/notes answers 503.', now(), 5)
            """
        )
        let doctor = try await control.doctor(code: 1)
        let broken = try doctor.check("gates", code: "peer_out_of_order")
        #expect(broken.sentence.hasPrefix("The Keep Extractor is out of order since "), "\(broken)")
        #expect(broken.sentence.hasSuffix("answers 503; no job waits"), "\(broken)")
        #expect(doctor.verdict.hasPrefix(broken.sentence), "\(doctor)")
        #expect(try await control.paste(try #require(broken.command)).code == 0)
        #expect(try await control.doctor(code: 0).check("gates").outcome == "ok")
    }

    @Test func allSlotsAreTakenAndAWorkerIsSilent() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        _ = try await control.insertJob()
        try await control.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, running, version, present_until, last_seen_at) VALUES
                (gen_random_uuid(), 'busy', 2, 2, '1.0', now() + interval '1 minute', now()),
                (gen_random_uuid(), 'gone', 4, 1, '1.0', now() - interval '9 minutes', now() - interval '10 minutes'),
                (gen_random_uuid(), 'busy', 4, 1, '0.9', now() - interval '9 minutes', now() - interval '10 minutes')
            """
        )
        let doctor = try await control.doctor(code: 0)
        let full = try doctor.check("workers", code: "slots_full")
        #expect(full.sentence.hasPrefix("All 2 slots of 1 worker are taken; 1 job is due"), "\(full)")
        // One that another of its name has replaced is not missed.
        let silent = try doctor.check("workers", code: "worker_silent")
        #expect(silent.sentence.hasPrefix("1 worker has stopped answering: gone, last heard of at"), "\(silent)")
        try await control.insertWorker()
        #expect(try await control.doctor(code: 0).checks.allSatisfy { $0.code != "slots_full" })
    }

    @Test func credentialsAreMissingBeforeAndAfterTheJobFailed() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let job = try await control.insertJob()
        let missing = try await control.doctor(code: 1).check("credentials")
        #expect(missing.outcome == "wrong" && missing.sentence.hasPrefix("User anna has no credentials"), "\(missing)")
        try await control.finish(job, .failed, error: "There are no credentials for user anna.")
        let failed = try await control.doctor(code: 0).check("failures")
        #expect(failed.sentence.hasSuffix("There are no credentials for user anna"), "\(failed)")
        #expect(failed.command == "syncctl why \(job)")
        // What `why` names stores them and retries the job.
        let why = try await control.mend(job, "credentials_missing", input: "google\nnotion\n")
        #expect(why.reason != "credentials_missing", "\(why)")
        let mended = try await control.doctor(code: 0)
        #expect(
            try mended.check("failures").outcome == "ok" && mended.check("credentials").outcome == "ok",
            "\(mended)"
        )
    }

    @Test func theWrongKey() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.storeCredentials("anna")
        #expect(try await control.doctor(code: 0).check("key").outcome == "ok")
        let other = ["AWS_ENCRYPTION_KEY": try FernetKey.generate().base64]
        let doctor = try await control.doctor(code: 1, environment: other)
        let key = try doctor.check("key")
        #expect(key.outcome == "wrong" && key.command == "AWS_ENCRYPTION_KEY=KEY sync-worker", "\(key)")
        #expect(doctor.verdict.hasPrefix("AWS_ENCRYPTION_KEY as this command has it opens nothing"), "\(doctor)")
        let none = try await control.doctor(code: 0, environment: ["AWS_ENCRYPTION_KEY": "", "HOME": "/nonexistent"])
        #expect(try none.check("key").sentence.hasPrefix("not checked: AWS_ENCRYPTION_KEY is not set"), "\(none)")
    }

    @Test(arguments: [UInt16(40), 80, 200]) func linesOnATerminal(columns: UInt16) async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna.with.a.name@example.org")
        _ = try await control.insertJob(user: "anna.with.a.name@example.org")
        let terminal = try PseudoTerminal(columns: columns)
        #expect(try await terminal.run(control, ["doctor"]).waitForExit() == .code(1))
        try await terminal.waitFor("work: ")
        for line in terminal.screen.split(separator: "\r\n") where String(line).displayWidth > columns {
            // Addresses are not broken, nor are commands.
            let words = line.split(separator: " ").filter { $0.count > columns - 12 }
            #expect(!words.isEmpty || line.contains("syncctl "), "\(columns) columns: \(line)")
        }
        #expect(terminal.screen.contains("wrong    workers: No worker is"), "\(terminal.screen)")
    }
}
