import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

/// What is under way at the database ends with the command that asked for it.
@Suite("A signal ends what a command has asked for, and what became of it is said", .migrated)
struct InterruptTests {
    private struct Locks {
        let control: ControlFixture
        let holder: PostgresConnection

        init(_ control: ControlFixture, _ statement: PostgresQuery) async throws {
            self.control = control
            holder = try await control.database.connect()
            try await holder.execute("BEGIN")
            try await holder.execute(statement)
        }

        func areAwaited() async throws -> Bool {
            try await !control.database.pool.query(
                """
                SELECT FROM pg_stat_activity
                WHERE application_name = 'syncctl' AND wait_event_type = 'Lock' AND datname = current_database()
                """
            ).isEmpty
        }

        func release() async throws {
            try await holder.execute("ROLLBACK")
            await holder.close()
        }

        /// Starts a command, sends it a signal once it waits for the lock, and gives what it left behind.
        func interrupt(_ command: [String], by signal: Int32, input: String = "") async throws -> ControlResult {
            let run = try control.start(command)
            try? run.write(input)
            run.closeInput()
            try await eventually(within: .seconds(30), "\(command) waits for the lock\n\(run.transcript)") {
                try await areAwaited()
            }
            run.send(signal: signal)
            let result = try await control.result(of: run)
            // As soon as it has ended, and not when the lock is free.
            #expect(try await !areAwaited(), "\(command)")
            return result
        }
    }

    /// What the commands of the test below are to change.
    private func fill(_ control: ControlFixture) async throws -> (queued: JobID, failed: JobID) {
        let jobs = (try await control.insertJob(), try await control.insertJob(user: "bob"))
        try await control.finish(jobs.1, .failed, error: "gone")
        try await control.storeCredentials("anna")
        try await control.execute(
            """
            INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, last_synced_at, keep_modified_at)
            VALUES ('anna', 'n', 'p', now(), now())
            """
        )
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count)
            VALUES ('anna', 'made', 'create', gen_random_uuid(), '1:a', now(), gen_random_uuid(), 1, now(), 1)
            """
        )
        return jobs
    }

    /// Everything that they could have changed.
    private func contents(_ control: ControlFixture) async throws -> String {
        var texts: [String] = []
        for table in [
            "sync_jobs", "sync_queue", "credentials", "sync_state", "sync_intents", "sync_pauses",
            "sync_alert_silences",
        ] {
            let sql = "SELECT coalesce(string_agg(t::text, '|' ORDER BY t::text), '') AS text FROM \(table) AS t"
            texts.append(try await control.database.pool.query(PostgresQuery(stringLiteral: sql))[0].decode("text"))
        }
        return texts.joined(separator: "\n")
    }

    @Test("Each command that writes: nothing is carried out after it, and that is what it says")
    func nothingIsDoneAfterwards() async throws {
        let control = try ControlFixture()
        let jobs = try await fill(control)
        let before = try await contents(control)
        let locks = try await Locks(
            control,
            """
            LOCK TABLE sync_jobs, credentials, sync_state, sync_intents, sync_pauses, sync_alert_silences
            IN SHARE ROW EXCLUSIVE MODE
            """
        )
        let commands: [([String], String)] = [
            (["cancel", "\(jobs.queued)"], ""), (["retry", "\(jobs.failed)"], ""),
            (["enqueue", "anna"], ""), (["pause", "all", "--reason", "r"], ""),
            (["pause", "--user", "anna", "--for", "2h", "--reason", "r"], ""),
            (["credentials", "set", "anna", "--database-id", "d2"], "google\nnotion\n"),
            (["credentials", "delete", "anna"], ""), (["clear-state", "anna", "--yes"], ""),
            (["unknown", "retry", "anna", "made"], ""), (["unknown", "settle", "anna", "made", "--not-written"], ""),
            (["alerts", "silence", "k", "--for", "2h"], ""),
        ]
        for (number, (command, input)) in commands.enumerated() {
            let (signal, code): (Int32, Int32) = number % 2 == 0 ? (SIGINT, 130) : (SIGTERM, 143)
            let result = try await locks.interrupt(command, by: signal, input: input)
            #expect(result.code == code && result.output.isEmpty, "\(command): \(result)")
            #expect(result.errors.contains("Interrupted. Nothing was changed."), "\(command): \(result)")
        }
        try await locks.release()
        #expect(try await contents(control) == before)
    }

    @Test("Of two jobs the first is cancelled, and the second may not be")
    func inPart() async throws {
        let control = try ControlFixture()
        let first = try await control.insertJob()
        let second = try await control.insertJob(user: "bob")
        let locks = try await Locks(control, "SELECT FROM sync_jobs WHERE job_id = \(second.rawValue) FOR UPDATE")
        let result = try await locks.interrupt(["cancel", "\(first)", "\(second)"], by: SIGINT)
        #expect(result.code == 130 && result.output == "Job \(first) is cancelled.", "\(result)")
        #expect(result.errors.contains("may have been done, in part or not at all"), "\(result)")
        #expect(result.errors.contains("syncctl jobs"), "\(result)")
        try await locks.release()
        #expect(try await control.jobs.job(second)?.status == .queued)
    }

    @Test("A command that waits for its input ends at once")
    func whileItReads() async throws {
        let control = try ControlFixture()
        let run = try control.start(["credentials", "set", "anna", "--database-id", "d1"])
        // It reads what is there, and waits for the rest.
        try run.write("google\n")
        try await eventually(within: .seconds(20), "its session") {
            try await !control.database.pool.query(
                "SELECT FROM pg_stat_activity WHERE application_name = 'syncctl' AND datname = current_database()"
            ).isEmpty
        }
        run.send(signal: SIGINT)
        let result = try await control.result(of: run)
        #expect(result.code == 130 && result.errors.contains("Nothing was changed."), "\(result)")
        run.closeInput()
    }

    @Test("One that only reads says no more than that it was interrupted")
    func reading() async throws {
        let control = try ControlFixture()
        let locks = try await Locks(control, "LOCK TABLE sync_jobs IN ACCESS EXCLUSIVE MODE")
        let result = try await locks.interrupt(["jobs"], by: SIGINT)
        #expect(result.code == 130 && result.errors.hasSuffix("Interrupted."), "\(result)")
        try await locks.release()
    }
}
