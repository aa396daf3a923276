import FlowControl
import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// The cause that people are told is the one that was seen.
@Suite(.timeLimit(.minutes(2)))
struct OutageCauseTests {
    /// A write of unknown outcome waits for the writer, whose address leads elsewhere meanwhile.
    @Test(arguments: [
        (Fault.status(code: 308, detail: .null, headers: ["Location": "/elsewhere"]), "answers with a redirect (308)"),
        (.body(code: 200, text: "<html>Log in</html>"), "answered 200 without a usable field page_id"),
    ])
    func whatTheWriterShowsNowIsTheCause(_ fault: Fault, _ words: String) async throws {
        var options = SyncInstallation.Options()
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(2)
            sync.faults(
                .strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]),
                .strike(.create, .drop(.after, reset: true), match: [.title: "Title of n2"])
            )
            try await sync.sync()
            #expect(try await sync.intents().count == 2)
            sync.faults(.strike(.create, fault))
            let job = try await sync.sync()
            let error = try #require(job.lastError)
            #expect(error.contains(words), "\(error)")
            #expect(!error.contains("gave no answer"), "what an earlier write met: \(error)")
        }
    }

    private static var options: SyncInstallation.Options {
        var options = SyncInstallation.Options()
        options.sync.flow.breaker = BreakerConfiguration()
        options.sync.flow.breaker.settling = .milliseconds(100)
        return options
    }

    @Test(arguments: [3600.0, 0]) func aJobThatAPeerPutsOffSaysWhy(probedIn seconds: Double) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(1)
            let fault = Fault.status(code: 308, detail: .null, headers: ["Location": "/elsewhere"])
            sync.faults(.strike(.create, fault))
            try await sync.pool.execute(
                """
                INSERT INTO sync_gates (gate, opened_at, opened_reason, cooldown, probe_at)
                VALUES (\(GateName(.notionWriter)), clock_timestamp(), 'It answers 503', \(max(seconds, 60)),
                    clock_timestamp() + make_interval(secs => \(seconds)))
                """
            )
            let job = try await sync.sync()
            #expect(job.status == .queued && job.attempt == 0)
            #expect(job.lastError == "The Notion Writer is out of order: It answers 503.")
        }
    }

    /// A property of the database is every note's matter, and nobody's doubt.
    @Test func aPropertyOfAnotherTypeIsToldAsThat() async throws {
        try await withInstallation { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .message("Tags is expected to be multi_select.")))
            let job = try await sync.sync()
            #expect((job.status, job.failedNotes) == (.completed, 2))
            #expect(sync.calls.creates == 2, "once each")
            #expect(try await sync.intents().isEmpty)
            #expect(try await sync.failedNotes() == ["n1": "rejected", "n2": "rejected"])
            let line = try #require(try await sync.lines("WARNING", of: job, note: "n1").first)
            for part in ["Tags is expected to be multi_select", "The Notion database", "syncctl failed retry ada"] {
                #expect(line.contains(part), "\(line)")
            }
        }
    }

    /// Two unknown outcomes in the database that the user has left say nothing of the one that is used now.
    @Test func whatWasHeldInAnotherDatabaseIsCreatedInThisOne() async throws {
        try await withInstallation { sync in
            let (old, new) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210")
            try await sync.pool.execute(
                """
                INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash, keep_modified_at, job_id,
                    lease, request, unknown_at, unknown_count, notion_database_id, created_at, resolution)
                VALUES ('ada', 'n1', 'create', gen_random_uuid(), '2:0:0', '2026-01-02T03:01:00Z', gen_random_uuid(), 7, 8,
                    now() - interval '1 minute', 2, \(old), now() - interval '2 minutes', 'hold')
                """
            )
            try await sync.storeCredentials(database: new)
            sync.notes(1)
            // Its first outcome there is unknown too, and that is the first.
            sync.faults(.strike(.create, .drop(.before, reset: true), match: [.title: "Title of n1"]))
            let first = try await sync.sync()
            #expect(try await sync.intents().map(\.unknownCount) == [1])
            #expect(try await UnknownWrites(pool: sync.pool).list().map(\.next) == [.sentAgain])
            sync.faults()
            try await sync.recordWriterSuccess()
            let job = try await sync.again(first)
            #expect((job.status, job.processedNotes, job.failedNotes) == (.completed, 1, 0), "\(job.lastError ?? "")")
            #expect(sync.simulator.pages.pages(databaseID: new).count == 1)
            #expect(try await sync.surplusPages()["n1"]?.count == 2, "both that may have been made stay on record")
            let databases = try await UnknownWrites(pool: sync.pool).surplusPages().map(\.databaseID)
            #expect(databases.sorted() == [old, new])
        }
    }
}
