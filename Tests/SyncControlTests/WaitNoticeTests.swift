import JobQueue
import Postgres
import TestSupport
import Testing

@Suite("What enqueue and retry say a job will wait for", .migrated)
struct WaitNoticeTests {
    /// What both commands say on stderr.
    private func words(_ control: ControlFixture) async throws -> [String] {
        try await control.execute("DELETE FROM sync_jobs")
        let enqueued = try await control.run("enqueue", "anna")
        #expect(enqueued.code == 0 && JobID(parsing: enqueued.output) != nil, "\(enqueued)")
        let retried = try await control.run("retry", enqueued.output)
        #expect(retried.code == 0 && retried.output == "Job \(enqueued.output) is queued.", "\(retried)")
        return [enqueued.errors, retried.errors].map { $0.replacing(enqueued.output, with: "JOB") }
    }

    @Test("A worker that is there, and nothing in the way: not a word. Else one line, with what to do")
    func notices() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        #expect(
            try await words(control).allSatisfy {
                $0 == "Job JOB waits for a worker: none is running. Start one: sync-worker"
            }
        )
        try await control.insertWorker()
        #expect(try await words(control) == ["", ""])
        for (statement, expected) in [
            (
                "INSERT INTO sync_pauses (scope, key, reason) VALUES ('user', 'anna', 'Her wish.')",
                /^Job JOB waits for the end of a pause: user anna, .*: Her wish\. End it with: syncctl resume --user anna$/
            ),
            (
                "INSERT INTO sync_pauses (scope, reason) VALUES ('all', 'Maintenance')",
                /^Job JOB waits for the end of a pause: all, .*: Maintenance\. End it with: syncctl resume all$/
            ),
            (
                """
                INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
                VALUES ('notion_writer', now(), now() + interval '1 hour', 'Moved.', 'ops')
                """,
                /^Job JOB waits for the gate notion_writer, closed until .* UTC by ops: Moved\. Open it with: syncctl gates open notion_writer$/
            ),
            (
                "INSERT INTO sync_gates (gate, opened_at, opened_reason) VALUES ('keep_extractor', now(), 'Gone.')",
                /^Job JOB waits for the gate keep_extractor, which is out of order since .* UTC: Gone\. It goes on by itself .*$/
            ),
            (
                "UPDATE sync_workers SET claims_failing_since = now()",
                /^Job JOB waits for a worker that can claim jobs: the database refuses the claims or results of all since .*deploy\/roles\.sql$/
            ),
            (
                "UPDATE sync_workers SET claims_failing_since = NULL, claims_held_since = now()",
                /^Job JOB waits for a worker that claims jobs: all hold their claims, the first since .*$/
            ),
        ] {
            try await control.database.pool.withConnection { try await $0.runScript(statement) }
            for text in try await words(control) { #expect(text.wholeMatch(of: expected) != nil, "\(text)") }
            try await control.execute("DELETE FROM sync_pauses")
            try await control.execute("DELETE FROM sync_gates")
        }
    }

    @Test("A gate of the user's own is known by the jobs that were snoozed for it")
    func ownGate() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        try await control.insertWorker()
        let waiting = try await control.insertJob().description
        let gate = "notion_writer/token/ab12"
        try await control.execute(
            """
            INSERT INTO sync_gates (gate, closed_at, closed_until, reason, closed_by)
            VALUES (\(gate), now(), now() + interval '1 hour', 'Notion limits the rate.', 'w1')
            """
        )
        try await control.execute("UPDATE sync_jobs SET run_at = now() + interval '1 hour'")
        try await control.execute("UPDATE sync_queue SET gate = \(gate), snoozed_since = now()")
        for run in [try await control.run("enqueue", "anna"), try await control.run("retry", waiting)] {
            #expect(run.errors.contains("waits for the gate \(gate), closed until "), "\(run)")
        }
        // Another user's is none of theirs.
        try await control.storeCredentials("bob")
        #expect(try await control.run("enqueue", "bob").errors.isEmpty)
    }

    @Test("What many jobs wait for is one line")
    func manyJobs() async throws {
        let control = try ControlFixture()
        let jobs = [try await control.insertJob(user: "ada"), try await control.insertJob(user: "bob")]
        try await control.execute("UPDATE sync_jobs SET status = 'failed', attempt = max_attempts")
        let retried = try await control.run("retry", "--failed-since", "1h")
        #expect(retried.code == 0 && jobs.allSatisfy { retried.output.contains("\($0)") }, "\(retried)")
        #expect(retried.errors == "2 jobs wait for a worker: none is running. Start one: sync-worker", "\(retried)")
    }
}
