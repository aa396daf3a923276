import JobQueue
import Postgres
import TestSupport
import Testing

@testable import SyncControl

@Suite("Names that begin with a dash", .migrated)
struct DashedWordTests {
    /// `-dash@x` has an h in it, which ArgumentParser takes for `-h`, and prints its help.
    private static let user = "-dash@x"

    private static let commands: [[String]] = [
        ["failed", "retry"], ["enqueue", "--force"], ["credentials", "set"], ["credentials", "bind"],
        ["credentials", "delete"], ["clear-state", "--yes"], ["unknown", "retry"],
        ["unknown", "settle", "--not-written"],
        ["alerts", "silence", "--for", "2h"], ["user"],
    ]

    @Test("Without -- the error says what to do", arguments: commands, [user, "-h@x", "--dash@x", "-help", "-zz"])
    func refused(command: [String], name: String) async throws {
        let run = try await ControlFixture().run(with: command + [name])
        #expect(run.code == 64 && run.output.isEmpty, "\(run)")
        let path = command.filter { !$0.hasPrefix("--") && $0 != "2h" }.joined(separator: " ")
        #expect(run.errors.contains("\"\(name)\" is no option of syncctl \(path)."), "\(run)")
        #expect(run.errors.contains("as in: syncctl \(path) -- \(name)"), "\(run)")
    }

    @Test(
        "What can be no name is a mistyped option: those like it are named, or all",
        arguments: [
            (["pause", "--all"], "Did you mean: syncctl pause all?"),
            (["pause", "--users", "anna"], "Did you mean: --user?"),
            (["jobs", "--statsu", "failed"], "Did you mean: --status?"),
            (["enqueue", "anna", "--ful"], "Did you mean: --full?"),
            (["watch", "--dash@x"], "There are: --color, --help, --json, --timeout, --version."),
            (["cancel", "-x@y"], "There are: --cause, --color, --dry-run, "),
            (["gates", "open", "--everything"], "There are: --color, --help, --json, --version."),
        ] as [([String], String)]
    )
    func mistyped(words: [String], advice: String) async throws {
        let run = try await ControlFixture().run(with: words)
        #expect(run.code == 64 && run.errors.contains(" is no option of syncctl \(words[0])"), "\(run)")
        #expect(run.errors.contains(advice) && !run.errors.contains(" -- "), "\(run)")
    }

    @Test(
        "As the value of an option it goes behind =",
        arguments: [["failed", "list"], ["unknown", "list"], ["jobs"]]
    )
    func options(command: [String]) async throws {
        let control = try ControlFixture()
        let refused = try await control.run(with: command + ["--user", Self.user])
        #expect(refused.code == 64 && refused.errors.contains("--user=\(Self.user)"), "\(refused)")
        _ = try await control.insertJob(user: Self.user)
        let taken = try await control.run(with: command + ["--user=\(Self.user)"])
        #expect(taken.code == 0, "\(taken)")
    }

    @Test("Behind -- it is a name like any other")
    func names() async throws {
        let control = try ControlFixture()
        let stored = try await control.run(
            "credentials",
            "set",
            "--database-id",
            "d1",
            "--",
            Self.user,
            input: "google\nnotion\n"
        )
        #expect(stored.code == 0, "\(stored)")
        let queued = try await control.run("enqueue", "--priority", "-5", "--", Self.user)
        #expect(queued.code == 0, "\(queued)")
        let job = try #require(try await control.jobs.jobs(limit: 1).first)
        #expect(job.userID.rawValue == Self.user && job.priority == -5)
        try await control.execute(
            """
            INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, content_hash, keep_modified_at, job_id)
            VALUES (\(Self.user), '-note', 'rejected', 'r', '1:a', now(), gen_random_uuid())
            """
        )
        let released = try await control.run("failed", "retry", "--", Self.user, "-note")
        #expect(released.code == 0 && released.output.contains("syncctl enqueue -- \(Self.user)"), "\(released)")
        for command in [["clear-state", "--yes"], ["credentials", "bind"], ["credentials", "delete"]] {
            let run = try await control.run(with: command + ["--", Self.user])
            #expect(run.code == 0, "\(run)")
        }
        for command in [["unknown", "retry"], ["unknown", "settle", "--not-written"]] {
            let run = try await control.run(with: command + ["--", Self.user, "-note"])
            #expect(run.code == 66 && run.errors.contains("note -note of user \(Self.user)"), "\(run)")
        }
    }

    @Test(
        "What ArgumentParser knows is left to it",
        arguments: [
            (["failed", "retry", "-h"], 0), (["failed", "retry", "--help"], 0), (["jobs", "--version"], 0),
            (["enqueue", "anna", "--priority", "-500"], 64), (["jobs", "--limit", "-1"], 64), (["-h"], 0),
            (["failed"], 0),
        ] as [([String], Int32)]
    )
    func known(words: [String], code: Int32) async throws {
        let run = try await ControlFixture().run(with: words)
        #expect(run.code == code && !run.errors.contains("is no option of"), "\(run)")
    }
}

extension ControlFixture {
    fileprivate func run(with arguments: [String]) async throws -> ControlResult {
        let run = try start(arguments)
        run.closeInput()
        return try await result(of: run)
    }
}
