import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

@Suite("syncctl pause", .migrated)
struct PauseCommandTests {
    private struct Pause: Decodable {
        var scope: String
        var key: String?
        var reason: String
        var pausedBy: String
        var pausedUntil: String?
        var endedByItself: Bool?
    }

    private struct Job: Decodable {
        struct Hold: Decodable {
            var kind: String
            var pause: Pause?
        }

        var waitsFor: Hold?
    }

    @Test("What is paused is listed with its reason, and resumed")
    func life() async throws {
        let control = try ControlFixture()
        #expect(try await control.run("pauses").errors.contains("Nothing is paused."))
        let user = try await control.run("pause", "--user", "anna@example.org", "--reason", "Her wish.")
        #expect(user.code == 0 && user.output == "Paused until syncctl resume: user anna@example.org.", "\(user)")
        let peer = try await control.run("pause", "--peer", "notion_writer", "--for", "2h", "--reason", "It moves.")
        #expect(peer.code == 0 && peer.output.contains("UTC: peer notion_writer."), "\(peer)")
        #expect(try await control.run("pause", "all", "--for", "30m", "--reason", "one").code == 0)
        let again = try await control.run("pause", "all", "--reason", "two")
        #expect(again.errors.contains("This takes the place of: all, paused by postgres since"), "\(again)")
        let list = try await control.run("pauses")
        for text in ["all", "peer notion_writer", "user anna@example.org", "Her wish.", "It moves.", "two"] {
            #expect(list.output.contains(text), "\(list)")
        }
        let pauses: [Pause] = try await control.run("pauses", "--json").json()
        #expect(pauses.map(\.scope) == ["all", "peer", "user"])
        #expect(pauses.map(\.key) == [nil, "notion_writer", "anna@example.org"])
        #expect(pauses.map { $0.pausedUntil == nil } == [true, false, true])
        #expect(pauses.allSatisfy { $0.pausedBy == "postgres" })
        let short = try await control.run("pauses", "--limit", "2")
        #expect(short.errors.contains("These are the first 2; there are more."), "\(short)")
        let gates = try await control.run("gates")
        #expect(gates.errors.contains("No job begins: all, paused by postgres"), "\(gates)")
        let resumed = try await control.run("resume", "--user", "anna@example.org")
        #expect(resumed.code == 0 && resumed.output.contains("Resumed. It was: user anna@example.org"), "\(resumed)")
        #expect(resumed.errors.contains("No job begins yet: all, paused by"), "\(resumed)")
        #expect(try await control.run("resume", "all").code == 0)
        #expect(try await control.run("resume", "--peer", "notion_writer").errors.isEmpty)
        let none = try await control.run("resume", "all")
        #expect(none.code == 66 && none.errors.contains("Not paused: all."), "\(none)")
    }

    @Test("A pause that has ended by itself is told as such, with its end", arguments: [false, true])
    func endedByItself(isTaken: Bool) async throws {
        let control = try ControlFixture()
        #expect(try await control.run("pause", "all", "--for", "1h", "--reason", "Maintenance.").code == 0)
        try await control.execute("ALTER TABLE sync_pauses DISABLE TRIGGER sync_pauses_timed")
        let row = try await control.database.pool.query(
            """
            UPDATE sync_pauses SET paused_until = date_trunc('second', now() - interval '10 minutes')
            RETURNING to_char(paused_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS until
            """
        ).first
        let end: String = try #require(try row?.decode("until"))
        // As a worker does it.
        if isTaken { try await control.execute("DELETE FROM sync_pauses WHERE paused_until < now()") }
        let resumed = try await control.run("resume", "all")
        let words = "It has ended by itself at \(end) UTC: all, paused by postgres"
        #expect(resumed.code == 0 && resumed.output.hasPrefix(words), "\(resumed)")
        #expect(resumed.output.hasSuffix("Maintenance."), "\(resumed)")
        let pause: Pause = try await control.run("resume", "all", "--json").json()
        #expect(pause.scope == "all" && pause.pausedUntil == "\(end.replacing(" ", with: "T")).000Z")
        #expect(pause.endedByItself == true)
        // A later one was the last.
        #expect(try await control.run("pause", "all", "--reason", "Once more.").code == 0)
        let ended: Pause = try await control.run("resume", "all", "--json").json()
        #expect(ended.endedByItself == false && ended.reason == "Once more.")
        let none = try await control.run("resume", "all")
        #expect(none.code == 66 && none.errors.contains("Not paused: all."), "\(none)")
    }

    @Test("A job says that it is paused, and one that is forced is not")
    func jobs() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        #expect(try await control.run("pause", "--user", "anna", "--for", "1h", "--reason", "Her wish.").code == 0)
        let waiting = try await control.run("enqueue", "anna")
        #expect(waiting.code == 0 && waiting.errors.contains("waits for the end of a pause: user anna"), "\(waiting)")
        let shown = try await control.run("jobs", waiting.output)
        #expect(shown.output.contains("waits for") && shown.output.contains("Her wish."), "\(shown)")
        let job: Job = try await control.run("jobs", waiting.output, "--json").json()
        #expect(job.waitsFor?.kind == "pause" && job.waitsFor?.pause?.key == "anna")
        let forced = try await control.run("enqueue", "anna", "--force")
        #expect(forced.code == 0 && !forced.errors.contains("pause"), "\(forced)")
        let passing: Job = try await control.run("jobs", forced.output, "--json").json()
        #expect(passing.waitsFor?.kind == "no_worker")
        let rows = try await control.database.pool.query("SELECT job_id FROM sync_queue WHERE is_forced")
        #expect(try rows.map { JobID(try $0.decode("job_id", as: UUID.self)).description } == [forced.output])
    }

    @Test(
        "What says not one thing to pause, or not why, is refused",
        arguments: [
            ["pause", "--reason", "r"], ["pause", "all", "--user", "anna", "--reason", "r"], ["pause", "all"],
            ["pause", "anna", "--reason", "r"], ["pause", "--peer", "notion", "--reason", "r"],
            ["pause", "all", "--reason", " "], ["pause", "all", "--for", "9000d", "--reason", "r"], ["resume"],
        ]
    )
    func refusals(_ arguments: [String]) async throws {
        let control = try ControlFixture()
        let run = try control.start(arguments)
        let answer = try await control.result(of: run)
        #expect(answer.code == 64, "\(answer)")
        #expect(try await control.database.pool.query("SELECT FROM sync_pauses").isEmpty)
    }

    @Test("A pause of a user of whom nothing is known is made, and that is said")
    func unknownUser() async throws {
        let control = try ControlFixture()
        let words = "no credentials, jobs or pages of a user of that name"
        try await control.storeCredentials("anna@x.org")
        let other = try await control.run("pause", "--user", "Anna@X.org", "--reason", "r")
        #expect(other.code == 0 && other.errors.contains(words), "\(other)")
        let known = try await control.run("pause", "--user", "anna@x.org", "--reason", "r")
        #expect(known.code == 0 && known.errors.isEmpty, "\(known)")
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at) VALUES ('eve', 'n', 'p', now())
            """
        )
        _ = try await control.insertJob(user: "bob")
        for user in ["eve", "bob"] {
            let run = try await control.run("pause", "--user", user, "--reason", "r")
            #expect(run.code == 0 && run.errors.isEmpty, "\(run)")
        }
    }

    /// What each of the commands says that follow a job.
    private func words(of job: String, _ control: ControlFixture) async throws -> [String] {
        let shown = try await control.run("jobs", job)
        let watched = try await control.run("watch", job, "--timeout", "300ms")
        #expect(shown.code == 0 && watched.code == 75, "\(watched)")
        return [shown.output, watched.output, watched.errors]
    }

    @Test("Who follows a job is told of the pause that keeps it")
    func watching() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.storeCredentials("anna")
        let job = try await control.run("enqueue", "anna").output
        for scope in [["all"], ["--user", "anna"], ["--peer", "notion_writer"]] {
            _ = try await control.result(of: control.start(["pause", "--reason", "Her wish."] + scope))
            for text in try await words(of: job, control) {
                #expect(text.contains("the end of a pause: ") && text.contains("Her wish."), "\(text)")
            }
            let run = try control.start(
                ["enqueue", "anna", "--at", "+1h", "--wait", "--timeout", "300ms", "--json"]
            )
            let waited = try await control.result(of: run)
            #expect(waited.code == 75 && waited.output.contains("it waits for the end of a pause"), "\(waited)")
            let workers = try await control.run("workers").errors
            #expect(workers.contains("No job begins: ") == (scope[0] != "--user"), "\(workers)")
            _ = try await control.result(of: control.start(["resume"] + scope))
        }
        let text = try await control.run("watch", job, "--timeout", "300ms").output
        #expect(text.contains("waiting in the queue"), "\(text)")
    }

    @Test("A pause that is over while its job is not back is told as such")
    func ended() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        try await control.storeCredentials("anna")
        #expect(try await control.run("pause", "--user", "anna", "--for", "1h", "--reason", "Her wish.").code == 0)
        let job = try await control.run("enqueue", "anna").output
        try await control.execute("UPDATE sync_queue SET is_parked = true")
        // Else it would end at once.
        try await control.execute("ALTER TABLE sync_pauses DISABLE TRIGGER sync_pauses_timed")
        try await control.execute("UPDATE sync_pauses SET paused_until = clock_timestamp()")
        for text in try await words(of: job, control).dropLast() {
            #expect(text.contains("its turn after a pause that is over"), "\(text)")
            #expect(text.contains("The pause was: user anna, paused by postgres"), "\(text)")
        }
        let shown: Job = try await control.run("jobs", job, "--json").json()
        #expect(shown.waitsFor?.kind == "ended_pause" && shown.waitsFor?.pause?.key == "anna")
        // Behind another job of the user it is no pause that it waits for.
        try await control.execute("DELETE FROM sync_pauses")
        #expect(try await control.run("jobs", job).output.contains("a worker with a free slot"))
    }

    @Test("A job that waits for a peer that is out of order is not promised to run at the next look")
    func outage() async throws {
        let control = try ControlFixture()
        let job = try await control.insertJob().description
        try await control.execute(
            "INSERT INTO sync_gates (gate, opened_at, opened_reason) VALUES ('notion_writer', now(), 'r')"
        )
        try await control.execute("UPDATE sync_jobs SET run_at = now() + interval '1 minute'")
        try await control.execute("UPDATE sync_queue SET gate = 'notion_writer'")
        for text in try await words(of: job, control).dropLast() {
            #expect(text.contains("the gate notion_writer, which is out of order; looked at again "), "\(text)")
        }
        try await control.execute(
            "UPDATE sync_gates SET opened_at = NULL, closed_at = now(), closed_until = now() + interval '1 minute'"
        )
        for text in try await words(of: job, control).dropLast() {
            #expect(text.contains("the gate notion_writer, until "), "\(text)")
        }
    }
}
