import Foundation
import JobQueue
import Postgres
import TestSupport
import Testing

/// How a user's sync stands, in one command.
@Suite("syncctl user", .migrated)
struct UserCommandTests {
    private struct Answer: Decodable {
        struct Job: Decodable {
            var jobId: String
        }

        struct Failing: Decodable {
            struct Note: Decodable {
                var keepNoteId: String
                var code: String
                var error: String
            }

            var count: Int
            var first: [Note]
        }

        struct Credentials: Decodable {
            var updatedAt: String
            var notionDatabaseId: String
        }

        struct Holder: Decodable {
            var kind: String
        }

        var freshAsOf: String?
        var lastSuccess: Job?
        var lastFailure: Job?
        var running: Job?
        var next: Job?
        var queued: Int
        var failingNotes: Failing
        var unknownWrites: Int
        var credentials: Credentials?
        var heldBy: [Holder]
    }

    private func answer(_ control: ControlFixture, _ user: String = "anna") async throws -> Answer {
        let run = try await control.run("user", user, "--json")
        #expect(run.code == 0, "\(run)")
        return try run.json()
    }

    @Test func allOfIt() async throws {
        let control = try ControlFixture()
        try await control.storeCredentials("anna")
        let job = try await control.insertJob()
        let fresh = try await answer(control)
        #expect(
            fresh.freshAsOf == nil && fresh.lastSuccess == nil && fresh.next?.jobId == "\(job)" && fresh.queued == 1
        )
        #expect(fresh.credentials?.notionDatabaseId == "d1" && fresh.heldBy.isEmpty && fresh.failingNotes.count == 0)
        let words = try await control.run("user", "anna").output
        #expect(words.hasPrefix("User anna has never been synced, as far as is on record.\n\n"), "\(words)")

        try await control.finish(job, .completed)
        try await control.execute("UPDATE sync_jobs SET started_at = now() - interval '3 hours'")
        let failed = try await control.insertJob()
        try await control.finish(failed, .failed, error: "Notion does not accept the token.")
        let later = try await control.insertJob()
        try await control.execute(
            "UPDATE sync_jobs SET run_at = now() + interval '2 hours' WHERE job_id = \(later.rawValue)"
        )
        let soon = try await control.insertJob()
        try await control.execute(
            "UPDATE sync_jobs SET run_at = now() + interval '1 hour' WHERE job_id = \(soon.rawValue)"
        )
        for note in ["n1", "n2", "n3", "n4", "n5", "n6", "n7"] {
            try await control.execute(
                """
                INSERT INTO sync_failed_notes (user_id, keep_note_id, code, error, job_id)
                VALUES ('anna', \(note), 'rejected', 'Its title is too long.', \(job.rawValue))
                """
            )
        }
        try await control.execute(
            """
            INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                lease, unknown_at, unknown_count)
            VALUES ('anna', 'n8', 'create', gen_random_uuid(), '1:a', now(), \(job.rawValue), 1, now(), 1)
            """
        )
        for pause in [["--user", "anna"], ["--peer", "notion_writer"]] {
            let run = try control.start(["pause"] + pause + ["--reason", "Asked for it."])
            #expect(try await control.result(of: run).code == 0)
        }
        let closed = try await control.run("gates", "close", "keep_extractor", "--for", "1h", "--reason", "Moved.")
        #expect(closed.code == 0)

        let all = try await answer(control)
        #expect(all.lastSuccess?.jobId == "\(job)" && all.lastFailure?.jobId == "\(failed)")
        #expect(all.next?.jobId == "\(soon)" && all.queued == 2 && all.running == nil && all.freshAsOf != nil)
        #expect(all.failingNotes.count == 7 && all.failingNotes.first.count == 5 && all.unknownWrites == 1)
        #expect(all.failingNotes.first.allSatisfy { $0.code == "rejected" && $0.error == "Its title is too long." })
        #expect(all.heldBy.map(\.kind) == ["pause", "pause", "gate"])
        let text = try await control.run("user", "anna").output
        for part in [
            "User anna is fresh as of ",
            "(3 h ago); user anna is paused; the gate keep_extractor lets no call pass; 7 notes could",
            "1 write may or may not have been made; the last job failed.",
            "note n7, refused by Notion: Its title is too long.",
            "for database d1", "see: syncctl why \(soon)", "Notion does not accept the token.",
        ] {
            #expect(text.contains(part), "\(part)\n\(text)")
        }
    }

    @Test func aRunningJobAndNoCredentials() async throws {
        let control = try ControlFixture()
        try await control.insertWorker()
        let job = try await control.insertJob(user: "bob")
        try await control.claim(job)
        let running = try await answer(control, "bob")
        #expect(running.running?.jobId == "\(job)" && running.next == nil && running.credentials == nil)
        let text = try await control.run("user", "bob").output
        #expect(
            text.contains("there are no credentials") && text.contains("store them with: syncctl credentials set bob"),
            "\(text)"
        )
    }

    @Test func aUserOfWhomNothingIsKnown() async throws {
        let control = try ControlFixture()
        let run = try await control.run("user", "nobody")
        #expect(run.code == 66 && run.errors.contains("There is no user nobody") && run.output.isEmpty, "\(run)")
    }
}
