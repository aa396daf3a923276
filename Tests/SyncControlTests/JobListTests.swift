import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("The list of jobs, and a job's log", .migrated)
struct JobListTests {
    private struct Row: Decodable {
        struct Wait: Decodable {
            let reason: String
            let text: String
        }
        let jobId: String
        let waitsFor: Wait?
        let cause: String?
    }

    private func rows(_ control: ControlFixture, _ words: [String] = []) async throws -> [Row] {
        try await control.run(words: ["jobs", "--json"] + words).json()
    }

    private func reason(of id: JobID, _ control: ControlFixture) async throws -> String? {
        try await rows(control).first { $0.jobId == "\(id)" }?.waitsFor?.reason
    }

    @Test("WAITS FOR and DUE say of each job what why says of it")
    func waits() async throws {
        let control = try ControlFixture()
        let running = try await control.insertJob(user: "ada")
        try await control.execute("UPDATE sync_jobs SET status = 'running' WHERE job_id = \(running.rawValue)")
        let paused = try await control.insertJob(user: "bob")
        try await control.execute("INSERT INTO sync_pauses (scope, key, reason) VALUES ('user', 'bob', 'r')")
        let later = try await control.jobs.enqueue(user: UserID("cyd"), fullSync: false, runAt: Date() + 600)
        let first = try await control.insertJob(user: "dan")
        let second = try await control.insertJob(user: "dan")
        #expect(try await reason(of: first, control) == "no_worker")
        try await control.insertWorker()
        // Of a user without them why says that first.
        try await control.storeCredentials("dan")
        let expected = [
            running: "run_outside", paused: "paused", later: "due_later", first: "claimable",
            second: "behind_queued_job",
        ]
        for (id, reason) in expected {
            let why = try await control.run("why", "\(id)", "--json").json([String: JSONWord].self)["reason"]
            #expect(
                try await self.reason(of: id, control) == reason && why?.text == reason,
                "\(id): \(why?.text ?? "-")"
            )
        }
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
            VALUES ('notion_writer', now(), now() + interval '1 hour', 'r', 'ops')
            """
        )
        #expect(try await reason(of: first, control) == "gate_closed")
        let text = try await control.run("jobs").output
        #expect(text.contains("the end of its user's pause") && text.contains("in 10 min"), "\(text)")
        #expect(text.contains("gate notion_writer") && text.contains("before it"), "\(text)")
    }

    /// A text among values of other types.
    private struct JSONWord: Decodable {
        let text: String?
        init(from decoder: any Decoder) throws {
            text = try? decoder.singleValueContainer().decode(String.self)
        }
    }

    @Test("Lists are narrowed down by status, age, error, cause, failed notes and users")
    func filters() async throws {
        let control = try ControlFixture()
        let failed = try await control.insertJob(user: "ada")
        try await control.finish(failed, .failed, error: "The Notion token is invalid.")
        let completed = try await control.insertJob(user: "bob")
        try await control.finish(completed, .completed)
        try await control.execute("UPDATE sync_jobs SET failed_notes = 0 WHERE job_id = \(failed.rawValue)")
        let queued = try await control.insertJob(user: "cyd")
        try await control.execute(
            "UPDATE sync_jobs SET created_at = created_at - interval '2 days' WHERE job_id = \(queued.rawValue)"
        )
        func ids(_ words: String...) async throws -> Set<String> { Set(try await rows(control, words).map(\.jobId)) }
        #expect(try await ids("--status", "failed,queued") == ["\(failed)", "\(queued)"])
        #expect(try await ids("--status", "failed", "--status", "completed") == ["\(failed)", "\(completed)"])
        #expect(try await ids("--since", "1d") == ["\(failed)", "\(completed)"])
        #expect(try await ids("--error", "notion TOKEN") == ["\(failed)"])
        #expect(try await ids("--with-failed-notes") == ["\(completed)"])
        #expect(try await ids("--user", "ada", "--user", "cyd") == ["\(failed)", "\(queued)"])
        let cause = try #require(try await rows(control, ["--status", "failed"]).first?.cause)
        #expect(try await ids("--cause", cause) == ["\(failed)"])
        #expect(try await ids("--cause", "000000000000").isEmpty)
        let mistyped = try await control.run("jobs", "--status", "faild")
        #expect(mistyped.errors.contains("Did you mean: failed?"), "\(mistyped)")
    }

    @Test("On a terminal no line is too long, and a short id is as long as it must be", arguments: [40, 80, 200])
    func widths(columns: UInt16) async throws {
        let control = try ControlFixture()
        let ids = ["6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e11", "6f1c2f9e-8d0b-4f5e-9a61-0d5f0b7c2e12"]
        for id in ids {
            try await control.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status) VALUES (\(id)::text::uuid, 'a.name@example.org', 'queued')
                """
            )
        }
        let alone = try await control.insertJob(user: "bob")
        let terminal = try PseudoTerminal(columns: columns)
        let run = try terminal.run(control, ["jobs"])
        #expect(try await run.waitForExit() == .code(0))
        try await eventually(within: .seconds(20), "the list") {
            terminal.screen.contains(String("\(alone)".prefix(8)))
        }
        try await eventually(within: .seconds(20), "its end") { terminal.screen.hasSuffix("\r\n") }
        let screen = terminal.screen
        for line in screen.split(separator: "\r\n") {
            #expect(String(line).displayWidth <= Int(columns), "\(line)")
        }
        #expect(
            screen.contains("WAITS FOR") && screen.contains("DUE") && screen.contains("a worker: none"),
            "\(screen)"
        )
        // One digit fewer would be both.
        #expect(screen.contains(ids[0]) && screen.contains(ids[1]))
        #expect(screen.contains("\(alone)") == (columns == 200), "\(screen)")
        let short = try await control.jobs.shortIDs(of: [alone])[alone]
        let found = try await control.run("jobs", try #require(short))
        #expect(found.output.contains("\(alone)"), "\(found)")
    }

    private func addLines(_ count: Int, to id: JobID, _ control: ControlFixture) async throws {
        try await control.execute(
            """
            INSERT INTO sync_logs (job_id, level, message)
            SELECT \(id.rawValue), CASE WHEN n % 500 = 0 THEN 'WARNING' WHEN n % 700 = 0 THEN 'ERROR' ELSE 'INFO' END,
                'line ' || n
            FROM generate_series(1, \(count)) AS n
            """
        )
    }

    @Test("--log prints every line with its date, and a log that is cut says so")
    func wholeLog() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        try await addLines(2500, to: id, control)
        let cut = try await control.run("jobs", "\(id)")
        #expect(
            cut.output.contains("LOG, the newest 1000 lines; all: syncctl jobs \(id) --log"),
            "\(cut.output.prefix(2000))"
        )
        let whole = try await control.run("jobs", "\(id)", "--log")
        let lines = whole.output.split(separator: "\n")
        #expect(whole.code == 0 && lines.count == 2500, "\(lines.count)")
        #expect(lines.first?.hasSuffix("line 1") == true && lines.last?.hasSuffix("line 2500") == true)
        #expect(lines.allSatisfy { $0.firstMatch(of: #/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  /#) != nil })
        let warnings = try await control.run("jobs", "\(id)", "--log", "--level", "warning").output
        #expect(warnings.split(separator: "\n").count == 8, "\(warnings)")
        let errors = try await control.run("jobs", "\(id)", "--log", "--level", "error", "--json").output
        #expect(errors.split(separator: "\n").count == 3 && errors.contains(#""message":"line 700""#), "\(errors)")
        let refused = try await control.run("jobs", "\(id)", "--log", "--level", "warn1ng")
        #expect(refused.code == 64 && refused.errors.contains("Did you mean: warning?"), "\(refused)")
        #expect(try await control.run("jobs", "--log").code == 64)
        #expect(try await control.run("jobs", "\(JobID())", "--log").code == 66)
    }

    @Test("--follow prints what is written until the job has ended, also a line that is committed late")
    func follow() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        try await addLines(3, to: id, control)
        // Drawn before the lines that follow, and committed after them.
        let late = try await control.database.connect()
        try await late.execute("BEGIN")
        try await late.execute("INSERT INTO sync_logs (job_id, level, message) VALUES (\(id.rawValue), 'INFO', 'late')")
        let run = try control.start(["jobs", "\(id)", "--log", "--follow"])
        run.closeInput()
        try await run.waitForLine(containing: "line 3")
        try await control.execute(
            "INSERT INTO sync_logs (job_id, level, message) VALUES (\(id.rawValue), 'INFO', 'new')"
        )
        try await run.waitForLine(containing: "new")
        try await late.execute("COMMIT")
        await late.close()
        try await run.waitForLine(containing: "late")
        #expect(try await control.run("cancel", "\(id)").code == 0)
        let result = try await control.result(of: run)
        let lines = result.output.split(separator: "\n")
        #expect(result.code == 0 && lines.count == 6, "\(result)")
        #expect(lines.last?.hasSuffix("Cancelled by an operator.") == true, "\(result)")
    }

    @Test("Ctrl-C ends the following and not the job")
    func interruptedFollow() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        try await addLines(1, to: id, control)
        let run = try control.start(["jobs", "\(id)", "--log", "--follow"])
        run.closeInput()
        try await run.waitForLine(containing: "line 1")
        run.send(signal: SIGINT)
        let result = try await control.result(of: run)
        #expect(result.code == 130, "\(result)")
        #expect(try await control.jobs.job(id)?.status == .queued)
    }
}
