import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("syncctl watch and enqueue --wait", .migrated)
struct WatchTests {
    private struct Answer: Decodable, Equatable {
        let jobId: String
        let status: String
        let summary: [String: Int]
        let error: String?
    }

    @Test(
        "enqueue --wait --json prints the answer of the replaced service",
        arguments: [
            (JobStatus.completed, nil, "completed", nil, 3), (.failed, "No login.", "failed", "No login.", 1),
            (.cancelled, nil, "failed", "The job was cancelled.", 1),
        ] as [(JobStatus, String?, String, String?, Int32)]
    )
    func wait(status: JobStatus, message: String?, shown: String, error: String?, code: Int32) async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let run = try control.start(["enqueue", "anna", "--force", "--wait", "--json"])
        let id = try await control.onlyJob()
        try await control.finish(id, status, error: message)
        let result = try await control.result(of: run)
        #expect(result.code == code, "\(result)")
        let summary = ["total_notes": 5, "processed_notes": 3, "failed_notes": 2]
        let expected = Answer(jobId: id.description, status: shown, summary: summary, error: error)
        #expect(try result.json() == expected)
        let keys = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]).keys
        #expect(keys.sorted() == ["error", "job_id", "status", "summary"])
        #expect(result.errors.isEmpty)
    }

    @Test(
        "A completed job of which notes failed ends with 3, and with 2 if most did",
        arguments: [(5, 3, 2 as Int32), (5, 2, 3), (4, 2, 3), (5, 0, 0), (0, 0, 0)]
    )
    func mostlyFailed(total: Int, failed: Int, code: Int32) async throws {
        let control = try ControlFixture()
        for command in ["watch", "enqueue"] {
            let run =
                command == "watch"
                ? try control.start(["watch", try await control.insertJob().description])
                : try control.start(["enqueue", "anna", "--force", "--wait"])
            let id = try await control.onlyJob()
            try await run.waitForLine(containing: "waiting in the queue")
            try await control.execute(
                """
                UPDATE sync_jobs SET status = 'completed', total_notes = \(total), processed_notes = \(total - failed),
                    failed_notes = \(failed)
                WHERE job_id = \(id.rawValue)
                """
            )
            let result = try await control.result(of: run)
            #expect(result.code == code, "\(result)")
            if failed > 0 { #expect((result.output + result.errors).contains("\(failed) failed"), "\(result)") }
            try await control.execute("DELETE FROM sync_jobs")
        }
    }

    @Test("--timeout ends the waiting, not the job")
    func timeout() async throws {
        let control = try ControlFixture()
        let result = try await control.run("enqueue", "anna", "--force", "--wait", "--timeout", "300ms", "--json")
        let answer: Answer = try result.json()
        #expect(result.code == 75 && answer.status == "queued" && answer.error != nil, "\(result)")
        #expect(try await control.jobs.job(control.onlyJob())?.status == .queued)
    }

    @Test("Where no worker is running, that is said", arguments: [false, true])
    func noWorker(isThere: Bool) async throws {
        let control = try ControlFixture()
        if isThere { try await control.insertWorker() }
        let words = "no worker is running: it waits until one is started"
        let wait = try await control.run("enqueue", "anna", "--force", "--wait", "--timeout", "300ms")
        #expect(wait.code == 75 && wait.errors.contains(words) != isThere, "\(wait)")
        #expect(wait.errors.contains("goes on") == isThere, "\(wait)")
        let watch = try await control.run("watch", control.onlyJob().description, "--timeout", "300ms")
        #expect(watch.code == 75 && watch.errors.contains(words) != isThere, "\(watch)")
    }

    @Test("A job that was set to running from outside is no worker's, and nothing says that it goes on")
    func runningOutside() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let id = try await control.insertJob()
        try await control.execute("UPDATE sync_jobs SET status = 'running' WHERE job_id = \(id.rawValue)")
        let watch = try await control.run("watch", "\(id)", "--timeout", "300ms")
        #expect(watch.code == 75 && watch.output.contains("no worker runs it"), "\(watch)")
        #expect(!"\(watch)".contains("goes on") && !watch.output.contains("fetching"), "\(watch)")
        let retry = try await control.run("retry", "\(id)")
        #expect(retry.code == 1 && retry.errors.contains("syncctl cancel \(id); then: syncctl retry \(id)"), "\(retry)")
        #expect(try await control.run("cancel", "\(id)").code == 0)
        #expect(try await control.run("retry", "\(id)").code == 0)
        #expect(try await control.jobs.job(id)?.status == .queued)
    }

    @Test("Of a running job whose peer's gate is closed nothing is said to go on", arguments: [0, 5])
    func closedGate(notes: Int) async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        try await control.execute(
            "UPDATE sync_jobs SET status = 'running', total_notes = \(notes) WHERE job_id = \(id.rawValue)"
        )
        try await control.execute("UPDATE sync_jobs SET worker = 'w1' WHERE job_id = \(id.rawValue)")
        func watched() async throws -> String { try await control.run("watch", "\(id)", "--timeout", "300ms").output }
        let open = notes == 0 ? "no notes fetched yet" : "writing notes"
        #expect(try await watched().hasSuffix(notes == 0 ? open : "\(open)  0/5 notes"))
        #expect(try await control.run("gates", "close", "notion_writer", "--for", "1h", "--reason", "r").code == 0)
        #expect(try await watched().contains("\(open); the gate notion_writer is closed until 20"))
        try await control.execute("UPDATE sync_gates SET closed_until = now(), opened_at = now()")
        #expect(try await watched().contains("\(open); the gate notion_writer is out of order"))
    }

    @Test("What has kept a job is not told of one that waits for something else")
    func pastErrors() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let id = try await control.insertJob()
        try await control.execute(
            """
            UPDATE sync_jobs SET attempt = 1, last_error = 'The Notion Writer is out of order.',
                last_error_at = '2026-01-02 03:04:05Z'
            """
        )
        let watched = try await control.run("watch", "\(id)", "--timeout", "300ms").output
        #expect(watched.hasSuffix("waiting in the queue"), "\(watched)")
        let told = "at 2026-01-02 03:04:05 UTC: The Notion Writer is out of order."
        for arguments in [["jobs"], ["jobs", "\(id)"]] {
            let run = try control.start(arguments)
            run.closeInput()
            let shown = try await control.result(of: run)
            #expect(shown.output.contains(told), "\(shown)")
        }
        let json = try await control.run("jobs", "\(id)", "--json").output
        #expect(json.contains(#""last_error_at":"2026-01-02T03:04:05.000Z""#), "\(json)")
    }

    @Test("Piped, a line for each change and the end, with the reason of a retry")
    func lines() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let id = try await control.insertJob()
        let run = try control.start(["watch", id.description])
        try await run.waitForLine(containing: "waiting in the queue")
        try await control.execute(
            """
            UPDATE sync_jobs SET run_at = now() + interval '90 minutes 10 seconds', attempt = 1, last_error = 'Keep is away.'
            WHERE job_id = \(id.rawValue)
            """
        )
        try await run.waitForLine(containing: "next attempt in 90 min: Keep is away.")
        try await control.finish(id, .completed)
        let result = try await control.result(of: run)
        #expect(result.code == 3 && result.output.contains("3 notes processed, 2 failed"), "\(result)")
        #expect(result.output.split(separator: "\n").count <= 5 && !result.output.contains("\u{1B}"))
    }

    @Test("On a terminal one line with a bar is drawn again and again")
    func bar() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        let terminal = try PseudoTerminal(columns: 60)
        let run = try terminal.run(control, ["watch", id.description])
        try await terminal.waitFor("waiting in the queue")
        try await control.execute(
            "UPDATE sync_jobs SET status = 'running', started_at = now(), total_notes = 8 WHERE job_id = \(id.rawValue)"
        )
        try await terminal.waitFor("0/8 notes")
        try await control.execute("UPDATE sync_jobs SET processed_notes = 4 WHERE job_id = \(id.rawValue)")
        try await terminal.waitFor("████░░░░")
        try await control.finish(id, .failed, error: "No login.")
        #expect(try await run.waitForExit() == .code(1))
        try await terminal.waitFor("Failed in 0:0")
        #expect(terminal.screen.contains("50 %") && terminal.screen.contains("No login."))
        let drawn = terminal.screen.split(whereSeparator: \.isNewline).map {
            String($0).replacing("\u{1B}[2K", with: "")
        }
        #expect(drawn.filter { $0.contains("█") }.allSatisfy { $0.displayWidth < 60 })
    }

    @Test("Ctrl-C ends the watching and says that it ends no job", arguments: [["watch"], ["enqueue"]])
    func interrupt(command: [String]) async throws {
        let control = try ControlFixture()
        let run =
            command == ["watch"]
            ? try control.start(["watch", try await control.insertJob().description])
            : try control.start(["enqueue", "anna", "--force", "--wait"])
        try await run.waitForLine(containing: "waiting in the queue")
        run.send(signal: SIGINT)
        let result = try await control.result(of: run)
        #expect(result.code == 130 && result.errors.contains("which stops nothing"), "\(result)")
        #expect(try await control.jobs.job(control.onlyJob())?.status == .queued)
    }

    @Test("A job that is gone ends the watching")
    func deleted() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        let run = try control.start(["watch", id.description])
        try await run.waitForLine(containing: "waiting in the queue")
        try await control.execute("DELETE FROM sync_jobs WHERE job_id = \(id.rawValue)")
        let result = try await control.result(of: run)
        #expect(result.code == 66 && result.errors.contains("deleted"), "\(result)")
    }

    @Test("A restart of the database does not end the watching")
    func restart() async throws {
        let cluster = try await PrivateCluster.start()
        let database = try await cluster.createDatabase()
        let control = try ControlFixture(["DATABASE_URL": database.connectionString])
        #expect(try await control.run("migrate").code == 0)
        let run = try control.start(["enqueue", "anna", "--force", "--wait"])
        try await run.waitForLine(containing: "waiting in the queue")
        try await cluster.stop(mode: .immediate)
        try await run.waitForLine(containing: "the database can't be asked")
        try await cluster.start()
        try await eventually(within: .seconds(20), "the database's return") {
            do {
                return try await database.pool.execute("UPDATE sync_jobs SET status = 'cancelled'") == 1
            } catch { return false }
        }
        let result = try await control.result(of: run)
        #expect(result.code == 1 && result.errors.contains("Cancelled."), "\(result)")
        try await cluster.remove()
    }
}
