import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("syncctl retry and cancel of many jobs", .migrated)
struct BulkJobTests {
    private struct Answer: Decodable {
        struct LeftOut: Decodable, Equatable {
            let older: Int
            let busy: Int
            let changed: Int
            let locked: Int
        }
        let found: Int
        let chosen: Int
        let changed: Int
        let isDryRun: Bool
        let isInterrupted: Bool
        let leftOut: LeftOut
        let jobIds: [String]
    }

    /// A job of the user that failed, created so long ago and ended then.
    private func failure(
        of user: String,
        age: String,
        error: String = "Notion answers 503.",
        _ control: ControlFixture
    ) async throws -> JobID {
        let id = try await control.insertJob(user: user)
        try await control.finish(id, .failed, error: error)
        try await control.execute(
            """
            UPDATE sync_jobs SET created_at = timezone('utc', now() - \(age)::text::interval),
                completed_at = timezone('utc', now() - \(age)::text::interval), failed_at = now() - \(age)::text::interval
            WHERE job_id = \(id.rawValue)
            """
        )
        return id
    }

    private func status(of id: JobID, _ control: ControlFixture) async throws -> JobStatus? {
        try await control.jobs.job(id)?.status
    }

    @Test("Of each user the newest failure is retried, and none where another job of the user waits")
    func newestOfEachUser() async throws {
        let control = try ControlFixture()
        let first = try await failure(of: "anna", age: "3 hours", control)
        let second = try await failure(of: "anna", age: "2 hours", control)
        let newest = try await failure(of: "anna", age: "1 hour", control)
        let busy = try await failure(of: "bob", age: "1 hour", control)
        _ = try await control.insertJob(user: "bob")
        let other = try await failure(of: "cyd", age: "1 hour", control)
        let old = try await failure(of: "dan", age: "13 hours", control)
        let words = ["retry", "--status", "failed", "--since", "12h"]

        let dry = try await control.run(words: words + ["--dry-run"])
        #expect(dry.code == 0 && dry.output.contains("This retries 2 jobs of 2 users"), "\(dry)")
        #expect(dry.output.contains("Left out: 2 jobs of which a newer one of the same user matches"), "\(dry)")
        #expect(dry.output.contains("Left out: 1 job whose user has another one queued or running"), "\(dry)")
        #expect(dry.output.contains("Nothing was changed") && dry.output.contains("\(newest)"), "\(dry)")
        #expect(try await control.count(.queued) == 1)

        let unasked = try await control.run(words: words)
        #expect(unasked.code == 64 && unasked.errors.contains("This retries 2 jobs of 2 users"), "\(unasked)")
        #expect(unasked.errors.contains("add --yes"), "\(unasked)")
        #expect(try await control.count(.queued) == 1)

        let answer: Answer = try await control.run(words: words + ["--yes", "--json"]).json()
        #expect(answer.found == 5 && answer.chosen == 2 && answer.changed == 2, "\(answer)")
        #expect(answer.leftOut == .init(older: 2, busy: 1, changed: 0, locked: 0), "\(answer)")
        #expect(Set(answer.jobIds) == ["\(newest)", "\(other)"])
        for id in [newest, other] { #expect(try await status(of: id, control) == .queued) }
        for id in [first, second, busy, old] { #expect(try await status(of: id, control) == .failed) }

        // Told otherwise, it takes them all.
        let every = try await control.run(words: words + ["--every", "--yes"])
        #expect(every.code == 0 && every.output.contains("Retried 3 jobs of 2 users"), "\(every)")
        for id in [first, second, busy] { #expect(try await status(of: id, control) == .queued) }
        #expect(try await status(of: old, control) == .failed)
        let none = try await control.run(words: words + ["--yes"])
        #expect(none.code == 0 && none.errors.contains("No job matches."), "\(none)")
    }

    @Test("Jobs are found by the cause of their failure, a part of their error, and several users")
    func filters() async throws {
        let control = try ControlFixture()
        let writer = try await failure(of: "anna", age: "1 hour", control)
        let keep = try await failure(of: "bob", age: "1 hour", error: "Keep does not answer since 12:05.", control)
        let again = try await failure(of: "cyd", age: "2 hours", error: "Keep does not answer since 13:17.", control)
        let others = try await failure(of: "dan", age: "2 hours", error: "Keep does not answer since 14:00.", control)
        func found(_ words: String...) async throws -> Set<String> {
            let answer: Answer = try await control.run(words: ["retry", "--dry-run", "--json"] + words).json()
            return Set(answer.jobIds)
        }
        #expect(try await found("--error", "keep DOES not") == ["\(keep)", "\(again)", "\(others)"])
        let cause = try #require(try await control.jobs.causes(of: [keep])[keep])
        let ofCause = try await found("--cause", cause)
        #expect(ofCause == ["\(keep)", "\(again)", "\(others)"])
        #expect(try await found("--cause", "job_failed:\(cause)") == ofCause)
        #expect(try await found("--user", "anna", "--user", "cyd") == ["\(writer)", "\(again)"])
        #expect(try await found("--user", "anna", "--error", "Keep").isEmpty)
        #expect(try await found("--since", "90m") == ["\(writer)", "\(keep)"])
    }

    @Test("Many jobs come due one after the other, in the time that is given")
    func spread() async throws {
        let control = try ControlFixture()
        try await control.insertFailures(250)
        func spread() async throws -> (seconds: Double, times: Int) {
            let row = try await control.database.pool.query(
                """
                SELECT extract(epoch FROM max(run_at) - min(run_at))::float8 AS seconds, count(DISTINCT run_at) AS times
                FROM sync_jobs WHERE status = 'queued'
                """
            )[0]
            return (try row.decode("seconds"), try row.decode("times"))
        }
        let run = try await control.run(words: ["retry", "--status", "failed", "--yes"])
        #expect(run.code == 0 && run.output.contains("Retried 250 jobs of 250 users"), "\(run)")
        #expect(run.output.contains("they come due one after the other within 25 s."), "\(run)")
        var found = try await spread()
        // Each step begins at its own time.
        #expect(found.seconds >= 24.8 && found.seconds < 60 && found.times == 250, "\(found)")
        try await control.execute("UPDATE sync_jobs SET status = 'failed'")
        #expect(try await control.run(words: ["retry", "--status", "failed", "--yes", "--over", "2h"]).code == 0)
        found = try await spread()
        #expect(found.seconds >= 7199 && found.seconds < 7260, "\(found)")
    }

    @Test("Ctrl-C stops between two steps, says what was done, and the same command goes on")
    func interruption() async throws {
        let control = try ControlFixture()
        try await control.insertFailures(6000)
        let run = try control.start(["retry", "--status", "failed", "--yes"])
        run.closeInput()
        try await eventually(within: .seconds(30), "the first step") { try await control.count(.queued) > 0 }
        run.send(signal: SIGINT)
        let result = try await control.result(of: run)
        let done = try await control.count(.queued)
        #expect(result.code == 130 && done < 6000, "\(done): \(result)")
        #expect(result.output.contains("Retried \(done) jobs of \(done) users"), "\(done): \(result)")
        #expect(result.output.contains("Stopped: \(6000 - done) jobs are as before."), "\(done): \(result)")
        let rest = try await control.run(words: ["retry", "--status", "failed", "--yes", "--json"])
        #expect(try rest.json(Answer.self).changed == 6000 - done, "\(rest)")
        #expect(try await control.count(.queued) == 6000)
    }

    @Test("What another session has locked is left out, and the others are cancelled")
    func locked() async throws {
        let control = try ControlFixture()
        var jobs: [JobID] = []
        for _ in 0..<3 { jobs.append(try await control.insertJob(user: "anna")) }
        let running = try await control.insertJob(user: "bob")
        try await control.execute("UPDATE sync_jobs SET status = 'running' WHERE job_id = \(running.rawValue)")
        let holder = try await control.database.connect()
        try await holder.execute("BEGIN")
        try await holder.execute("SELECT FROM sync_jobs WHERE job_id = \(jobs[1].rawValue) FOR UPDATE")
        let run = try await control.run(words: ["cancel", "--since", "1h", "--yes"])
        #expect(run.code == 1 && run.output.contains("Cancelled 3 jobs of 2 users."), "\(run)")
        #expect(run.output.contains("Left out: 1 job that another session has locked."), "\(run)")
        try await holder.execute("ROLLBACK")
        await holder.close()
        #expect(try await status(of: jobs[1], control) == .queued)
        for id in [jobs[0], jobs[2], running] {
            #expect(try await status(of: id, control) == .cancelled)
            #expect(try await control.jobs.logs(of: id).map(\.message) == ["Cancelled by an operator."])
        }
    }

    @Test("What was changed since it was found is left as it is")
    func changedMeanwhile() async throws {
        let control = try ControlFixture()
        let failed = try await failure(of: "anna", age: "1 hour", control)
        let completed = try await control.insertJob(user: "bob")
        try await control.finish(completed, .completed)
        let busy = try await failure(of: "cyd", age: "1 hour", control)
        _ = try await control.insertJob(user: "cyd")
        let gone = JobID()
        let outcomes = try await control.jobs.retry(
            [failed, completed, busy, gone].map { ($0, .zero) },
            from: [.failed],
            isOnePerUser: true
        )
        #expect(outcomes == [failed: .done, completed: .changed, busy: .busy, gone: .changed])
        #expect(try await status(of: completed, control) == .completed)
        #expect(try await status(of: busy, control) == .failed)
    }

    @Test("On a terminal it asks, with the number, and anything but yes changes nothing")
    func question() async throws {
        let control = try ControlFixture()
        try await control.insertFailures(3)
        for (answer, code, queued) in [("n\n", Int32(1), 0), ("y\n", 0, 3)] {
            let terminal = try PseudoTerminal()
            let run = try terminal.run(control, ["retry", "--status", "failed"])
            try await terminal.waitFor("[y/N]")
            #expect(terminal.screen.contains("This retries 3 jobs of 3 users"), "\(terminal.screen)")
            terminal.type(answer)
            #expect(try await run.waitForExit() == .code(code))
            #expect(try await control.count(.queued) == queued)
        }
    }

    @Test(
        "What can't be meant is refused with what to do",
        arguments: [
            (["retry"], "Missing: the jobs, or one of --status"), (["cancel", "--yes"], "Missing: the jobs"),
            (["cancel", "--status", "failed"], "A job that is failed has ended"),
            (["cancel", "--cause", "4f1a0c7be2d9"], "have ended"),
            (["retry", "--status", "failed,running"], "cancel it first"),
            (["retry", "--status", "queued"], "syncctl retry JOB"),
            (["retry", "--cause", "peer_down"], "is no cause"),
            (["retry", "6f1c2f9e", "--status", "failed"], "leave out their ids"),
            (["retry", "--failed-since", "2h", "--yes"], "stands alone"),
            (["retry", "--cause", "4f1a0c7be2d9", "--status", "cancelled"], "leave out --status cancelled"),
            (["retry", "--error", ""], "--error must not be empty"),
        ] as [([String], String)]
    )
    func refused(words: [String], advice: String) async throws {
        let run = try await ControlFixture().run(words: words)
        #expect(run.code == 64 && run.errors.contains(advice), "\(run)")
    }
}
