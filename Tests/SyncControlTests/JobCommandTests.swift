import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("syncctl enqueue, jobs, cancel, retry, clear-state, workers", .migrated)
struct JobCommandTests {
    @Test("Jobs whose status somebody else has made up are listed by it, and a word that no job has is explained")
    func unknownStatus() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        try await control.execute("UPDATE sync_jobs SET status = 'it''s Paused' WHERE job_id = \(id.rawValue)")
        let found = try await control.run("jobs", "--status", "it's Paused")
        #expect(found.code == 0 && found.output.contains(id.description), "\(found)")
        let none = try await control.run("jobs", "--status", "done")
        #expect(none.code == 0 && none.output.isEmpty, "\(none)")
        #expect(none.errors.contains("queued, running, completed, failed, cancelled"), "\(none)")
        #expect(try await control.run("jobs", "--status", "QUEUED").errors == "No such jobs.")
    }

    @Test("enqueue prints the id of a job with all that was asked for")
    func enqueue() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        let result = try await control.run(
            "enqueue",
            "anna",
            "--full",
            "--priority",
            "-5",
            "--at",
            "2030-01-02T03:04+01:00"
        )
        let id = try #require(JobID(parsing: result.output), "\(result)")
        let job = try #require(try await control.jobs.job(id))
        #expect(job.isFullSync && job.priority == -5 && job.status == .queued)
        #expect(job.runAt == Date(timeIntervalSince1970: 1_893_549_840))
        let second = try await control.run("enqueue", "anna", "--json")
        let answer: [String: String] = try second.json()
        #expect(answer["status"] == "queued" && answer["job_id"].flatMap { JobID(parsing: $0) } != nil)
    }

    @Test("A time from now counts by the database's clock")
    func relativeTime() async throws {
        let control = try ControlFixture()
        let before = try await control.jobs.databaseTime()
        let result = try await control.run("enqueue", "anna", "--force", "--at", "+10m")
        let after = try await control.jobs.databaseTime()
        let job = try await control.jobs.job(try #require(JobID(parsing: result.output)))
        let due = try #require(job).runAt
        #expect((before.addingTimeInterval(600)...after.addingTimeInterval(600)).contains(due))
    }

    @Test("A user without credentials is refused, unless forced")
    func unknownUser() async throws {
        let control = try ControlFixture()
        let refused = try await control.run("enqueue", "nobody")
        #expect(refused.code == 66 && refused.errors.contains("credentials set") && refused.errors.contains("--force"))
        #expect(try await control.jobs.jobs(limit: 1).isEmpty)
        #expect(try await control.run("enqueue", "nobody", "--force").code == 0)
    }

    @Test("Lists are aligned for people and complete for programs")
    func list() async throws {
        let control = try ControlFixture()
        let failed = try await control.insertJob()
        let queued = try await control.insertJob(user: "bob")
        try await control.finish(failed, .failed, error: "The Notion token\nis invalid.")
        let list = try await control.run("jobs")
        let lines = list.output.split(separator: "\n")
        #expect(list.code == 0 && lines.count == 3, "\(list)")
        #expect(list.output.contains("The Notion token is invalid.") && list.output.contains("5/5"))

        let rows = try await control.run("jobs", "--status", "failed", "--json").json([Row].self)
        #expect(rows.map(\.jobId) == [failed.description])
        #expect(rows.first?.progress == ["total_notes": 5, "processed_notes": 3, "failed_notes": 2])
        #expect(
            try await control.run("jobs", "--user", "bob", "--json").json([Row].self).map(\.jobId) == [
                queued.description
            ]
        )
        #expect(try await control.run("jobs", "--limit", "1", "--json").json([Row].self).count == 1)
        let none = try await control.run("jobs", "--user", "bob", "--status", "failed")
        #expect(none.code == 0 && none.output.isEmpty && none.errors == "No such jobs.")
    }

    @Test("On a terminal of 80 columns no line of the list is longer")
    func narrowList() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob(user: "somebody.with.a.long.name@example.org")
        try await control.finish(id, .failed, error: String(repeating: "long ", count: 50))
        let terminal = try PseudoTerminal(columns: 80)
        let run = try terminal.run(control, ["jobs"])
        #expect(try await run.waitForExit() == .code(0))
        try await terminal.waitFor("long")
        try await eventually(within: .seconds(20), "the end of the list") { terminal.screen.hasSuffix("\r\n") }
        let lines = terminal.screen.split(separator: "\r\n")
        #expect(lines.allSatisfy { String($0).displayWidth <= 80 }, "\(terminal.screen)")
        #expect(lines.contains { $0.hasSuffix("somebody.with.a.long.name@example.org") }, "\(terminal.screen)")
        #expect(terminal.screen.contains("2 notes failed; long") && !terminal.screen.contains("…"))
        #expect(terminal.screen.components(separatedBy: "long ").count + lines.count > 50, "\(terminal.screen)")
    }

    @Test("The name of a user of whom nothing is known is no empty list", arguments: Self.listsOfUsers)
    func listOfAnUnknownUser(_ list: [String]) async throws {
        let control = try ControlFixture()
        _ = try await control.insertJob(user: "ben@example.org")
        func run(_ user: String, _ options: [String] = []) async throws -> ControlResult {
            let run = try control.start(list + ["--user", user] + options)
            run.closeInput()
            return try await control.result(of: run)
        }
        let unknown = try await run("ben@exampl…")
        #expect(unknown.code == 66 && unknown.errors.contains("There is no user ben@exampl…"), "\(unknown)")
        #expect(try await run("ben@example.org").code == 0)
        let json = try await run("ben@exampl…", ["--json"])
        #expect(json.code == 0 && json.output == "[]", "\(json)")
    }

    private static let listsOfUsers = [["jobs"], ["failed", "list"], ["unknown", "list"], ["unknown", "surplus"]]

    @Test("Numbers of any size are taken or refused, with what is allowed")
    func extremeNumbers() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        let most = "9223372036854775807"
        for arguments in [["jobs"], ["jobs", "\(id)"], ["failed", "list"], ["gates", "list"]] {
            let run = try control.start(arguments + ["--limit", most])
            run.closeInput()
            let result = try await control.result(of: run)
            let isRefused = result.code == 64 && result.errors.contains("from 1 to 1000000")
            #expect(arguments[0] == "jobs" ? result.code == 0 : isRefused, "\(arguments): \(result)")
        }
        for arguments in [
            ["retry", "--failed-since"], ["watch", "\(id)", "--timeout"],
            ["alerts", "silence", "peer_down:x", "--for"],
            ["enqueue", "anna", "--wait", "--timeout"],
        ] {
            for length in ["99999999d", "36501d", "\(most)d", "0s", "0.0001s"] {
                let run = try control.start(arguments + [length])
                run.closeInput()
                let result = try await control.result(of: run)
                #expect(result.code == 64 && result.errors.contains("36500d"), "\(arguments) \(length): \(result)")
            }
        }
        #expect(try await control.run("retry", "--failed-since", "36500d").code == 0)
        // Where less is allowed, that is the range from the first.
        for (arguments, longest) in [
            (["retry", "\(id)", "--lock-timeout"], "25s"), (["pause", "all", "--reason", "r", "--for"], "3650d"),
            (["gates", "close", "notion_writer", "--reason", "r", "--for"], "30d"),
        ] {
            for length in ["99999999d", "3651d", "0s", "soon"] {
                let run = try control.start(arguments + [length])
                run.closeInput()
                let result = try await control.result(of: run)
                #expect(result.code == 64 && result.errors.contains("from 1ms to \(longest), such as"), "\(result)")
            }
        }
    }

    @Test("What was changed is said on stderr where stdout takes nothing", arguments: [false, true])
    func reportsThatCannotBeWritten(isGone: Bool) async throws {
        let control = try ControlFixture()
        let jobs = [try await control.insertJob(user: "ada"), try await control.insertJob(user: "bob")]
        func run(_ arguments: [String]) async throws -> ControlResult {
            let command = "exec \"$0\" \"$@\""
            // A reader that is gone before anything is written.
            let script = isGone ? "{ sleep 0.2; \(command); } | true" : "\(command) > /dev/full"
            let program = try ProgramRun(
                executable: "/bin/bash",
                ["-c", "set -o pipefail; " + script, ProgramRun.path(of: "syncctl")] + arguments,
                environment: control.environment
            )
            return try await control.result(of: program)
        }
        let cancelled = try await run(["cancel"] + jobs.map(\.description))
        #expect(cancelled.code == 74, "\(cancelled)")
        #expect(jobs.allSatisfy { cancelled.errors.contains("Job \($0) is cancelled.") }, "\(cancelled)")
        for id in jobs { #expect(try await control.jobs.job(id)?.status == .cancelled) }
        for options in [[], ["--json"], ["--wait"]] {
            let queued = try await run(["enqueue", "eve", "--force"] + options)
            #expect(queued.code == 74, "\(queued)")
            let id = try #require(try await control.jobs.jobs(user: UserID("eve"), limit: 1).first?.id)
            #expect(queued.errors.contains("Job \(id) is queued."), "\(queued)")
        }
        for (arguments, words) in [
            (["pause", "all", "--reason", "r"], "Paused until syncctl resume: all."),
            (["resume", "all"], "Resumed. It was: all,"),
            (["gates", "close", "notion_writer", "--for", "1h", "--reason", "r"], "Closed until "),
            (["gates", "open", "notion_writer"], "Opened; it was closed for 60 min more."),
        ] {
            let run = try await run(arguments)
            #expect(run.code == 74 && run.errors.contains(words), "\(run)")
        }
    }

    @Test("What a change has made is there for programs too")
    func changesAsJSON() async throws {
        let control = try ControlFixture()
        let job = try await control.insertJob(user: "ada").description
        struct Answer: Decodable {
            var jobId: String?
            var status: String?
            var scope: String?
            var runningJobs: Int?
            var isKnown: Bool?
            var pausedBy: String?
            var isChanged: Bool?
            var dueJobs: Int?
        }
        func answer(_ arguments: String...) async throws -> Answer {
            let run = try control.start(arguments + ["--json"])
            run.closeInput()
            return try await control.result(of: run).json()
        }
        let cancelled = try await answer("cancel", job)
        #expect(cancelled.jobId == job && cancelled.status == "cancelled")
        #expect(try await answer("retry", job).status == "queued")
        let paused = try await answer("pause", "--user", "ada", "--reason", "r")
        #expect(paused.scope == "user" && paused.runningJobs == 0 && paused.isKnown == true)
        #expect(try await answer("resume", "--user", "ada").pausedBy == "postgres")
        #expect(try await answer("gates", "close", "notion_writer", "--for", "1h", "--reason", "r").isChanged == true)
        #expect(try await answer("gates", "open", "notion_writer").dueJobs == 0)
    }

    @Test("One job is shown with its log")
    func details() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        try await control.execute(
            """
            INSERT INTO sync_logs (job_id, level, message, keep_note_id)
            VALUES (\(id.rawValue), 'INFO', 'Fetched 3 notes.', NULL), (\(id.rawValue), 'WARNING', 'Too long.', 'note-7')
            """
        )
        let text = try await control.run("jobs", id.description.uppercased())
        #expect(text.code == 0 && text.output.contains("INFO     Fetched 3 notes."), "\(text)")
        #expect(text.output.contains("WARNING  Too long. [note note-7]"))
        let logs = try await control.run("jobs", id.description, "--json", "--limit", "1").json(Row.self).logs
        #expect(logs?.map(\.message) == ["Too long."] && logs?.first?.keepNoteId == "note-7")
    }

    @Test("After an outage the jobs that used up their attempts are retried, and no others")
    func retryAfterAnOutage() async throws {
        let control = try ControlFixture()
        let none = try await control.run("retry", "--failed-since", "1h")
        #expect(none.code == 0 && none.errors.contains("No job has used up its attempts"), "\(none)")
        var jobs: [JobID] = []
        for user in ["spent", "at-once", "long-ago"] {
            jobs.append(try await control.insertJob(user: user))
            try await control.finish(jobs.last!, .failed, error: "x")
        }
        try await control.execute("UPDATE sync_jobs SET attempt = max_attempts WHERE user_id IN ('spent', 'long-ago')")
        try await control.execute(
            "UPDATE sync_jobs SET failed_at = now() - interval '3 hours' WHERE user_id = 'long-ago'"
        )
        let retried = try await control.run("retry", "--failed-since", "2h")
        #expect(retried.code == 0 && retried.output == "Job \(jobs[0]) is queued.", "\(retried)")
        #expect(try await control.jobs.job(jobs[0])?.status == .queued)
        #expect(try await control.jobs.job(jobs[1])?.status == .failed)
    }

    @Test("A job that was cancelled says so in its log")
    func cancelIsLogged() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        #expect(try await control.run("cancel", id.description).code == 0)
        #expect(try await control.jobs.logs(of: id).map(\.message) == ["Cancelled by an operator."])
    }

    @Test("cancel and retry say what they did, and why not")
    func cancelAndRetry() async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        #expect(try await control.run("cancel", id.description).code == 0)
        #expect(try await control.jobs.job(id)?.status == .cancelled)
        let again = try await control.run("cancel", id.description)
        #expect(again.code == 1 && again.errors.contains("cancelled already"), "\(again)")
        #expect(try await control.run("retry", id.description).code == 0)
        #expect(try await control.jobs.job(id)?.status == .queued)
        let unknown = try await control.run("retry", JobID().description)
        #expect(unknown.code == 66 && unknown.errors.contains("There is no job"), "\(unknown)")
        // One that is refused does not keep the others from their turn.
        let mixed = try await control.run("cancel", JobID().description, id.description)
        #expect(mixed.code == 66)
        #expect(try await control.jobs.job(id)?.status == .cancelled)
        let two = try await control.run("cancel", JobID().description, id.description)
        #expect(two.code == 1 && two.errors.split(separator: "\n").count == 2, "\(two)")
    }

    @Test(
        "A status that nobody knows is shown as it stands, and can be cancelled and retried",
        arguments: ["canceled", "QUEUED"]
    )
    func unknownStatus(word: String) async throws {
        let control = try ControlFixture()
        let known = try await control.insertJob(user: "bob")
        let id = try await control.insertJob()
        try await control.execute("UPDATE sync_jobs SET status = \(word) WHERE job_id = \(id.rawValue)")
        let list = try await control.run("jobs")
        #expect(list.code == 0 && list.output.contains(word) && list.output.contains("\(known)"), "\(list)")
        #expect(try await control.run("jobs", "--user", "anna", "--json").output.contains(#""status":"\#(word)""#))
        let shown = try await control.run("jobs", id.description)
        #expect(shown.code == 0 && shown.output.contains(word), "\(shown)")
        let watched = try await control.run("watch", id.description)
        #expect(watched.code == 1 && watched.output.contains("no worker knows"), "\(watched)")
        let cancelled = try await control.run("cancel", id.description)
        #expect(cancelled.code == 0, "\(cancelled)")
        #expect(try await control.jobs.job(id)?.status == .cancelled)
        try await control.execute("UPDATE sync_jobs SET status = \(word) WHERE job_id = \(id.rawValue)")
        let retried = try await control.run("retry", id.description)
        #expect(retried.code == 0, "\(retried)")
        #expect(try await control.jobs.job(id)?.status == .queued)
    }

    @Test("Who holds a job is said, and the waiting for it has an end", arguments: ["cancel", "retry"])
    func lockedJob(command: String) async throws {
        let control = try ControlFixture()
        let id = try await control.insertJob()
        let holder = try await control.database.connect()
        try await holder.execute("BEGIN")
        let row = try await holder.query(
            "SELECT pg_backend_pid() AS pid FROM sync_jobs WHERE job_id = \(id.rawValue) FOR UPDATE"
        ).first
        let pid: Int = try #require(try row?.decode("pid"))
        let result = try await control.run(command, id.description, "--lock-timeout", "4s")
        #expect(result.code == 1 && result.errors.contains("Another session holds job \(id)"), "\(result)")
        #expect(
            result.errors.contains("held by pid \(pid) (") && result.errors.contains("idle in transaction"),
            "\(result)"
        )
        let run = try control.start([command, id.description])
        run.closeInput()
        try await eventually(within: .seconds(20), "the word on the lock") {
            run.standardError.contains { $0.contains("held by pid \(pid)") }
        }
        try await holder.execute("ROLLBACK")
        #expect(try await control.result(of: run).code == 0)
        await holder.close()
        #expect(try await control.run(command, id.description, "--lock-timeout", "1h").code == 64)
    }

    @Test("clear-state forgets pages and failures, after a yes")
    func clearState() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at)
            SELECT 'anna', n::text, n::text, now() FROM generate_series(1, 3) AS n
            """
        )
        let unasked = try await control.run("clear-state", "anna")
        #expect(unasked.code == 64 && unasked.errors.contains("--yes"), "\(unasked)")

        let terminal = try PseudoTerminal()
        let run = try terminal.run(control, ["clear-state", "anna"])
        try await terminal.waitFor("[y/N]")
        terminal.type("n\n")
        #expect(try await run.waitForExit() == .code(1))
        try await terminal.waitFor("Nothing was changed.")

        let cleared = try await control.run("clear-state", "anna", "--yes")
        #expect(cleared.code == 0 && cleared.output.contains("Forgot 3 pages"), "\(cleared)")
        #expect(try await control.run("clear-state", "anna", "--yes").code == 66)
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count)
            VALUES ('anna', 'n2', 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now(), 1)
            """
        )
        let open = try await control.run("clear-state", "anna", "--yes")
        #expect(open.errors.contains("Still on record: 1 open write (syncctl unknown list)."), "\(open)")
        #expect(open.code == 66 && !open.errors.contains("Nothing is remembered"), "\(open)")
    }

    @Test("workers are listed with their load")
    func workers() async throws {
        let control = try ControlFixture()
        let none = try await control.run("workers")
        #expect(none.code == 0 && none.errors.contains("sync-worker"))
        try await control.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, running, version, last_seen_at)
            VALUES ('1a2b3c4d-0000-4000-8000-000000000001', 'w1', 4, 2, '1.0', now() - interval '10 minutes')
            """
        )
        let list = try await control.run("workers")
        #expect(list.code == 0 && list.output.contains("w1") && list.output.contains("10 min ago, silent"), "\(list)")
        let json = try await control.run("workers", "--json").output
        #expect(json.contains(#""running":2"#) && json.contains(#""is_silent":true"#))
        #expect(json.contains(#""instance":"1a2b3c4d-0000-4000-8000-000000000001""#))
        #expect(!list.output.contains("1a2b3c4d"))
        try await control.execute("UPDATE sync_workers SET last_seen_at = now()")
        #expect(try await !control.run("workers").output.contains("silent"))
        try await control.execute(
            "INSERT INTO sync_workers (instance, worker, slots, version) VALUES (gen_random_uuid(), 'w1', 4, '1.0')"
        )
        #expect(try await control.run("workers").output.contains("w1 (1a2b3c4d)"))
        try await control.execute(
            "UPDATE sync_workers SET claims_held_since = '2026-01-02 03:04:05Z' WHERE running = 2"
        )
        let held = try await control.run("workers").output
        #expect(held.contains("claims no jobs since 2026-01-02 03:04:05 UTC: it does not reach a peer"), "\(held)")
        #expect(
            try await control.run("workers", "--json").output.contains(
                #""claims_held_since":"2026-01-02T03:04:05.000Z""#
            )
        )
        try await control.execute("UPDATE sync_workers SET claims_failing_since = '2026-01-02 03:04:05Z'")
        let failing = try await control.run("workers")
        #expect(failing.output.contains("gets no job since 2026-01-02 03:04:05 UTC"), "\(failing)")
        #expect(failing.errors.contains("No worker gets a job") && !failing.errors.contains("hold their"), "\(failing)")
    }

    private struct Workers: Decodable {
        struct Worker: Decodable {
            let busy: Int
            let isSilent: Bool
        }
        struct Backlog: Decodable {
            let usefulWorkers: Int
            let usefulSlots: Int
        }
        struct Pause: Decodable {
            let scope: String
        }

        let workers: [Worker]
        let backlog: Backlog?
        let pauses: [Pause]
    }

    @Test("A worker that has missed its heartbeat has no slots taken; programs read the backlog too")
    func deadWorker() async throws {
        let control = try ControlFixture()
        try await control.execute(
            """
            INSERT INTO sync_workers (instance, worker, slots, running, version, last_seen_at, present_until)
            VALUES (gen_random_uuid(), 'w1', 4, 3, '1.0', now() - interval '40 s', now() - interval '10 s'),
                (gen_random_uuid(), 'w2', 4, 2, '1.0', now() - interval '70 s', now() + interval '50 s')
            """
        )
        _ = try await control.insertJob()
        let list = try await control.run("workers").output.split(separator: "\n").map(String.init)
        #expect(list[1].contains("w1") && list[1].hasSuffix("silent") && list[1].contains(#/ 0 +4 /#), "\(list)")
        #expect(list[2].contains("w2") && !list[2].contains("silent") && list[2].contains(#/ 2 +4 /#), "\(list)")
        let answer: Workers = try await control.run("workers", "--json").json()
        #expect(answer.workers.map(\.busy) == [0, 2] && answer.workers.map(\.isSilent) == [true, false])
        #expect(answer.backlog?.usefulWorkers == 1 && answer.backlog?.usefulSlots == 1 && answer.pauses.isEmpty)
        #expect(try await control.run("pause", "all", "--reason", "r").code == 0)
        let paused: Workers = try await control.run("workers", "--json").json()
        #expect(paused.backlog?.usefulSlots == 0 && paused.pauses.map(\.scope) == ["all"])
    }

    private struct Row: Decodable {
        struct Log: Decodable {
            let message: String
            let keepNoteId: String?
        }

        let jobId: String
        let progress: [String: Int]
        let logs: [Log]?
    }
}
