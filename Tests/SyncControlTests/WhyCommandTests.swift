import Fernet
import Foundation
import JobQueue
import NoteSync
import Postgres
import SyncSchema
import TestSupport
import Testing

/// What `syncctl why` prints with `--json`.
struct WhyJSON: Decodable {
    struct Blocker: Decodable {
        var kind: String
        var jobId: String?
        var gate: String?
        var scope: String?
        var pid: Int?
        var worker: String?
    }

    struct Reason: Decodable {
        var reason: String
        var command: String?
    }

    var reason: String
    var sentence: String
    var since: String?
    var until: String?
    var blocker: Blocker?
    var command: String?
    var status: String?
    var isClaimable: Bool
    var also: [Reason]
}

extension ControlFixture {
    func why(_ id: JobID, environment: [String: String] = [:]) async throws -> WhyJSON {
        let run = try await run("why", "\(id)", "--json", environment: environment)
        #expect(run.code == 0 && run.errors.isEmpty, "\(run)")
        return try run.json()
    }

    /// Runs a command as `why` names it, in a shell, with the built program in its path.
    func paste(_ command: String, input: String = "") async throws -> ControlResult {
        let folder = (ProgramRun.path(of: "syncctl") as NSString).deletingLastPathComponent
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let run = try ProgramRun(
            executable: "/bin/sh",
            ["-c", command],
            environment: environment.merging(["PATH": "\(folder):\(path)"]) { $1 }
        )
        try? run.write(input)
        run.closeInput()
        return try await result(of: run)
    }

    /// Runs what `why` names for a job, and returns what it says then.
    func mend(_ id: JobID, _ reason: String, input: String = "") async throws -> WhyJSON {
        let why = try await why(id)
        #expect(why.reason == reason, "\(why)")
        let command = try #require(why.command, "\(why)")
        let pasted = try await paste(command, input: input)
        #expect(pasted.code == 0, "\(command)\n\(pasted)")
        return try await self.why(id)
    }
}

/// Each situation is told by its reason, and the command that is named mends it.
@Suite("syncctl why", .migrated)
struct WhyCommandTests {
    private func fixture() async throws -> (ControlFixture, JobID) {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        try await control.insertWorker()
        return (control, try await control.insertJob())
    }

    @Test func nothingKeepsIt() async throws {
        let (control, id) = try await fixture()
        let why = try await control.why(id)
        #expect(why.reason == "claimable" && why.isClaimable && why.command == nil && why.also.isEmpty, "\(why)")
        let text = try await control.run("why", String("\(id)".prefix(8)))
        #expect(text.code == 0 && text.output.hasPrefix("Job \(id) is due and nothing keeps it: "), "\(text)")
        #expect(text.output.contains("\njob      \(id), queued, of user anna"), "\(text)")
        let unknown = try await control.run("why", "\(JobID())")
        #expect(unknown.code == 66 && unknown.errors.contains("There is no job"), "\(unknown)")
    }

    @Test func dueLater() async throws {
        let (control, id) = try await fixture()
        try await control.execute("UPDATE sync_jobs SET run_at = now() + interval '3 hours'")
        let why = try await control.why(id)
        #expect(why.sentence.contains("is not due before") && why.sentence.hasSuffix("(in 3 h)."), "\(why)")
        #expect(why.until != nil && !why.isClaimable)
        #expect(try await control.mend(id, "due_later").reason == "claimable")
    }

    @Test func retrying() async throws {
        let (control, id) = try await fixture()
        try await control.execute(
            """
            UPDATE sync_jobs SET run_at = now() + interval '90 seconds', attempt = 2, last_error = 'Notion answered 500.',
                last_error_at = now()
            """
        )
        let why = try await control.why(id)
        #expect(why.sentence.contains("attempt 2 of 5 did not complete"), "\(why)")
        #expect(why.sentence.hasSuffix(": Notion answered 500."), "\(why)")
        #expect(why.blocker?.jobId == "\(id)" && why.until != nil)
        #expect(try await control.mend(id, "retrying").reason == "claimable")
    }

    @Test(
        "A pause of the user, of a peer or of everything",
        arguments: [["--user", "anna"], ["--peer", "notion_writer"], ["all"]]
    )
    func paused(target: [String]) async throws {
        let (control, id) = try await fixture()
        let run = try control.start(["pause"] + target + ["--for", "2h", "--reason", "Asked for it."])
        #expect(try await control.result(of: run).code == 0)
        let why = try await control.why(id)
        #expect(why.sentence.contains("by postgres since") && why.sentence.hasSuffix(": Asked for it."), "\(why)")
        #expect(why.blocker?.kind == "pause" && why.since != nil && why.until != nil)
        #expect(try await control.mend(id, "paused").reason == "claimable")
    }

    @Test func gateClosed() async throws {
        let (control, id) = try await fixture()
        let closed = try await control.run(
            "gates",
            "close",
            "notion_writer",
            "--for",
            "30m",
            "--reason",
            "It is being moved."
        )
        #expect(closed.code == 0, "\(closed)")
        let why = try await control.why(id)
        #expect(why.blocker?.gate == "notion_writer" && why.since != nil && why.until != nil, "\(why)")
        #expect(why.sentence.contains("is closed by postgres since"), "\(why)")
        // A claim takes it all the same; it would then be put off, as this one has been.
        #expect(why.isClaimable)
        try await control.execute(
            "UPDATE sync_jobs SET run_at = now() + interval '30 minutes', last_error = 'Put off.', last_error_at = now()"
        )
        try await control.execute("UPDATE sync_queue SET gate = 'notion_writer', snoozed_since = now()")
        #expect(try await control.why(id).sentence.contains("It is tried again at"))
        #expect(try await control.mend(id, "gate_closed").reason == "claimable")
    }

    @Test func breakerOpen() async throws {
        let (control, id) = try await fixture()
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, opened_at, opened_reason, opened_by, probe_at, cooldown, broken_since)
            VALUES ('notion_writer', now(), 'It answers 503.', 'w1', now() + interval '5 seconds', 5, now() - interval '1 hour')
            """
        )
        let why = try await control.why(id)
        #expect(
            why.sentence.contains("is out of order since")
                && why.sentence.contains(": It answers 503. Start that peer"),
            "\(why)"
        )
        #expect(try await control.mend(id, "breaker_open").reason == "claimable")
    }

    @Test func behindARunningJobAndAnEarlierOne() async throws {
        let (control, first) = try await fixture()
        let second = try await control.insertJob()
        let third = try await control.insertJob()
        #expect(try await control.why(second).reason == "behind_queued_job")
        #expect(try await control.why(second).blocker?.jobId == "\(first)")
        try await control.claim(first)
        try await control.execute(
            """
            UPDATE sync_jobs SET started_at = now() - interval '10 minutes', total_notes = 150, processed_notes = 48, failed_notes = 2
            WHERE job_id = \(first.rawValue)
            """
        )
        try await control.execute(
            "INSERT INTO sync_logs (job_id, level, message) VALUES (\(first.rawValue), 'INFO', 'Created a page.')"
        )
        let why = try await control.why(second)
        #expect(why.blocker?.jobId == "\(first)" && why.blocker?.worker == "w1" && why.until != nil, "\(why)")
        #expect(
            why.sentence.contains("runs on w1 since")
                && why.sentence.contains("50 of 150 notes settled, 2 failed; last progress")
        )
        #expect(why.sentence.contains("ends about") && why.sentence.contains("(in 20 min)"), "\(why)")
        let running = try await control.why(first)
        #expect(running.reason == "running" && running.command == nil && running.until != nil, "\(running)")
        #expect(running.sentence.contains("with 50 of 150 notes settled, 2 failed"), "\(running)")
        let after = try await control.mend(second, "behind_running_job")
        #expect(after.reason == "claimable", "\(after)")
        #expect(try await control.why(third).reason == "behind_queued_job")
    }

    @Test func theWorkerThatHoldsItIsDead() async throws {
        let (control, id) = try await fixture()
        try await control.claim(id)
        try await control.execute(
            "UPDATE sync_workers SET last_seen_at = now() - interval '40 seconds', present_until = now() - interval '10 seconds'"
        )
        let alone = try await control.why(id)
        #expect(alone.reason == "worker_lost" && alone.command == "sync-worker", "\(alone)")
        #expect(alone.sentence.contains(/last heard of 4[0-9] s ago\. Its lease ends at/), "\(alone)")
        #expect(alone.sentence.hasSuffix("no other worker is running to take the job over."), "\(alone)")
        try await control.insertWorker()
        try await control.execute("UPDATE sync_queue SET lease_expires_at = now() - interval '1 second'")
        let rescued = try await control.why(id)
        #expect(rescued.reason == "worker_lost" && rescued.command == nil && rescued.until != nil, "\(rescued)")
        #expect(rescued.sentence.contains("Its lease ended at") && rescued.sentence.contains("half of SYNC_LEASE"))
        let next = try await control.insertJob()
        let behind = try await control.why(next)
        #expect(behind.reason == "behind_running_job" && behind.also.map(\.reason) == ["worker_lost"], "\(behind)")
    }

    @Test func locked() async throws {
        let (control, id) = try await fixture()
        let holder = try await control.database.connect()
        try await holder.execute("SET application_name = 'psql of bob'")
        try await holder.execute("BEGIN")
        try await holder.execute("SELECT FROM sync_jobs FOR UPDATE")
        let pid: Int = try await holder.query("SELECT pg_backend_pid() AS pid")[0].decode("pid")
        let why = try await control.why(id)
        #expect(why.reason == "locked" && why.blocker?.pid == pid && why.since != nil, "\(why)")
        #expect(why.sentence.contains("session \(pid) (user postgres, psql of bob, idle in transaction)"), "\(why)")
        let command = try #require(why.command)
        #expect(command == "psql \"$DATABASE_URL\" -c 'SELECT pg_terminate_backend(\(pid))'")
        let pasted = try await control.paste(command)
        #expect(pasted.code == 0, "\(pasted)")
        try await eventually(within: .seconds(20), "the end of the lock") {
            try await control.why(id).reason == "claimable"
        }
        await holder.close()
    }

    @Test func workers() async throws {
        let (control, id) = try await fixture()
        try await control.execute("UPDATE sync_workers SET running = slots")
        let full = try await control.why(id)
        #expect(full.reason == "workers_full" && full.command == "sync-worker" && full.isClaimable, "\(full)")
        #expect(full.sentence.contains("4 jobs run in the 4 slots of 1 worker. It is the next."), "\(full)")
        try await control.execute("UPDATE sync_workers SET claims_held_since = now()")
        #expect(try await control.why(id).reason == "claims_held")
        try await control.execute("UPDATE sync_workers SET claims_held_since = NULL, claims_failing_since = now()")
        #expect(try await control.why(id).reason == "claims_failing")
        try await control.execute(
            "UPDATE sync_workers SET present_until = now() - interval '1 minute', last_seen_at = now() - interval '1 hour'"
        )
        let none = try await control.why(id)
        #expect(none.reason == "no_worker" && none.blocker?.worker == "w1" && none.since != nil, "\(none)")
        try await control.execute("DELETE FROM sync_workers")
        #expect(try await control.why(id).reason == "no_worker")
        try await control.execute(
            "INSERT INTO sync_stopped_workers (instance, worker) VALUES (gen_random_uuid(), 'w9')"
        )
        let stopped = try await control.why(id)
        #expect(stopped.sentence.contains("no worker is running. The last, w9, stopped at 20"), "\(stopped)")
        #expect(stopped.blocker?.worker == "w9" && stopped.since != nil, "\(stopped)")
        #expect(
            try await control.run("workers").errors.contains("No worker is running. The last one, w9, stopped at 20")
        )
        try await control.insertWorker()
        #expect(try await control.why(id).reason == "claimable")
    }

    @Test func parkedWithoutCause() async throws {
        let (control, id) = try await fixture()
        let park: PostgresQuery = "UPDATE sync_queue SET is_parked = true"
        try await control.execute(park)
        #expect(try await control.why(id).reason == "parked")
        try await control.execute(
            "INSERT INTO sync_pauses (scope, key, reason, paused_until) VALUES ('user', 'anna', 'r', now() - interval '1 second')"
        )
        // That has brought it back.
        try await control.execute(park)
        let ended = try await control.why(id)
        #expect(ended.reason == "pause_ended" && ended.blocker?.scope == "user", "\(ended)")
    }

    @Test func withoutARowInTheQueue() async throws {
        let (control, id) = try await fixture()
        try await control.execute("DELETE FROM sync_queue")
        #expect(try await control.mend(id, "not_in_queue").reason == "claimable")
    }
}

extension ControlFixture {
    /// Has the worker `w1` hold a job, as its claim leaves it.
    func claim(_ id: JobID) async throws {
        try await execute(
            "UPDATE sync_workers SET first_lease = 1000, present_until = now() + interval '1 minute' WHERE worker = 'w1'"
        )
        try await execute(
            """
            WITH queued AS (
                UPDATE sync_queue SET lease = 1001, lease_expires_at = now() + interval '1 minute', is_parked = false
                WHERE job_id = \(id.rawValue)
            )
            UPDATE sync_jobs SET status = 'running', lease = 1001, worker = 'w1', attempt = 1, started_at = now()
            WHERE job_id = \(id.rawValue)
            """
        )
    }
}
