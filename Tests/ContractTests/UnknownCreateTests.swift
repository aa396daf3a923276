import Foundation
import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// Creates whose outcome nobody knows.
@Suite(.timeLimit(.minutes(5)))
struct UnknownCreateTests {
    /// The page is made and nobody hears of it.
    static let lostAnswers: [Fault] = [
        .drop(.after, reset: true), .drop(.after, reset: false), .malformedJSON, .truncatedJSON, .truncatedBody,
        .wrongTypes,
        .missingFields, .body(code: 201, text: #"{"page_id":""}"#), .hang(seconds: 1, .after),
    ]

    static func options(
        _ idempotency: PeerSettings.Idempotency,
        _ policy: SyncInstallation.Options = .init()
    ) -> SyncInstallation.Options {
        var options = policy
        options.peers.idempotency = idempotency
        options.writerTimeout = .milliseconds(500)
        options.sync.noteConcurrency = 1
        return options
    }

    /// With one note, the writer's health and a probe; with two, the other note's success.
    @Test(arguments: lostAnswers, [1, 2])
    func aLostAnswerIsUnknownAndTheSameKeyIsSentAgain(_ fault: Fault, _ count: Int) async throws {
        try await withInstallation(Self.options(.ignore)) { sync in
            sync.notes(count)
            sync.faults(.strike(.create, fault, times: 1, match: [.title: "Title of n1"]))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (count, 0))
            let warnings = try await sync.lines("WARNING", of: job, note: "n1")
            #expect(warnings.count == 1)
            #expect(warnings.first?.hasPrefix("Unknown create: ") == true)
            #expect(try await sync.intents().isEmpty, "the second answer settles it")
            #expect(Set(sync.pages(of: "n1").flatMap(\.idempotencyKeys)).count == 1)
            #expect(sync.struck == [2])
            #expect(try await sync.surplusPages() == ["n1": ["unknown"]], "the first page, whose id nobody was told")
            #expect(
                try await sync.lines("INFO", of: job, note: "n1").last?.hasSuffix("syncctl unknown surplus") == true
            )
        }
    }

    @Test(arguments: [Fault.drop(.after, reset: true), .hang(seconds: 1, .after), .truncatedBody, .missingFields])
    func aWriterThatHonoursTheKeyMakesOnePage(_ fault: Fault) async throws {
        try await withInstallation(Self.options(.honour)) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, fault, times: 1, match: [.title: "Title of n2"]))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (3, 0))
            #expect(sync.pages.count == 3)
            #expect(try await sync.states()["n2"]?.page == sync.pages(of: "n2").first?.id)
        }
    }

    @Test func theKeyOutlivesTheJob() async throws {
        var options = Self.options(.honour)
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            let intent = try #require(try await sync.intents().first)
            #expect(intent.unknownCount == 1)
            #expect(intent.isUnknown)
            #expect(intent.operation == "create")
            #expect(try await sync.failedNotes() == ["n1": "unknownCreate"])
            sync.faults()
            let next = try await sync.sync()
            #expect(next.failedNotes == 0)
            #expect(sync.pages(of: "n1").map(\.idempotencyKeys) == [[intent.key.uuidString.lowercased()]])
            #expect(try await sync.intents().isEmpty)
            #expect(try await sync.failedNotes().isEmpty)
        }
    }

    /// A key stands for one content, so the page is made with the new text and nothing is appended to it.
    @Test(arguments: [PeerSettings.Idempotency.honour, .ignore])
    func aNoteEditedAfterAnOutageIsCreatedOnceWithItsNewText(_ idempotency: PeerSettings.Idempotency) async throws {
        try await withInstallation(Self.options(idempotency)) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .status(code: 503, detail: .string("down"), headers: [:])))
            let outage = try await sync.sync()
            #expect(outage.status == .queued)
            sync.edit("n1", text: "Edited meanwhile")
            sync.faults()
            let next = try await sync.again(outage)
            #expect((next.processedNotes, next.failedNotes) == (3, 0))
            #expect(sync.pages(of: "n1").map(\.appended) == [["Edited meanwhile"]])
            #expect(try await sync.intents().isEmpty)
            sync.forgetCalls()
            _ = try await sync.sync(full: true)
            #expect(sync.calls.creates + sync.calls.updates == 0, "and now it is settled")
        }
    }

    /// With a writer that knows keys the first page stays, with the old text: one surplus page, whose create is on
    /// record.
    @Test func anEditBetweenTwoTriesOfACreateIsNotLost() async throws {
        var options = Self.options(.honour)
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            let first = try await sync.sync()
            #expect(try await sync.lines("WARNING", of: first, note: "n1").first?.hasPrefix("Unknown create") == true)
            sync.faults()
            sync.edit("n1", text: "Edited meanwhile")
            let next = try await sync.sync()
            #expect(next.failedNotes == 0)
            let page = try #require(try await sync.states()["n1"]?.page)
            #expect(sync.simulator.pages.page(id: page)?.appended == ["Edited meanwhile"])
            #expect(sync.pages(of: "n1").count == 2)
            #expect(try await sync.intents().isEmpty)
        }
    }

    @Test func anErrorThatSaysNothingIsUnknownToo() async throws {
        try await withInstallation(Self.options(.honour)) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .status(code: 500, detail: .null, headers: [:]), times: 1))
            let job = try await sync.sync()
            #expect(job.failedNotes == 0)
            #expect(try await sync.lines("WARNING", of: job, note: "n1").count == 1)
            #expect(sync.pages.count == 1)
        }
    }

    /// What is certain of the second try says nothing of the first.
    @Test(arguments: [
        Fault.rateLimited(status: 429, retryAfter: 0), .status(code: 404, detail: .string("Not Found"), headers: [:]),
        .message("API token is invalid."), .message("Could not find database with ID"),
        .message("body failed validation"),
        .message("Conflict occurred while saving"),
    ])
    func aRefusalAfterAnUnknownCreateDoesNotForgetIt(_ refusal: Fault) async throws {
        try await withInstallation(Self.options(.honour)) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true), times: 1), .strike(.create, refusal))
            let job = try await sync.sync()
            #expect(sync.pages.count == 1)
            let intent = try #require(try await sync.intents().first, "it may have happened, and it has")
            #expect(intent.isUnknown)
            #expect(intent.unknownCount == 1)
            #expect([intent.key.uuidString.lowercased()] == sync.pages.first?.idempotencyKeys)
            sync.faults()
            // What was refused is looked at again when somebody has changed it.
            try await sync.pool.execute("DELETE FROM sync_failed_notes WHERE code = 'rejected'")
            let next = try await (job.status == .queued ? sync.again(job) : sync.sync())
            #expect(next.status == .completed)
            #expect(next.failedNotes == 0)
            #expect(sync.pages.count == 1)
            #expect(try await sync.intents().isEmpty)
        }
    }

    @Test func heldCreatesWaitForAnOperator() async throws {
        var policy = SyncInstallation.Options()
        policy.sync.unknownCreates = .hold
        try await withInstallation(Self.options(.ignore, policy)) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            #expect(sync.calls.creates == 2, "not sent again")
            #expect(try await sync.intents().map(\.unknownCount) == [1])
            sync.faults()
            for _ in 1...2 {
                let next = try await sync.sync()
                #expect(next.failedNotes == 1)
                #expect(try await sync.failedNotes() == ["n1": "held"])
                #expect(try await sync.lines("WARNING", of: next, note: "n1").first?.contains("operator") == true)
            }
            #expect(sync.calls.creates == 2)
            #expect(sync.pages.count == 2)
            try await sync.pool.execute("UPDATE sync_intents SET resolution = 'retry' WHERE keep_note_id = 'n1'")
            #expect(try await sync.sync().failedNotes == 0)
            #expect(try await sync.intents().isEmpty)
            #expect(Set(sync.pages(of: "n1").flatMap(\.idempotencyKeys)).count == 1)
        }
    }

    /// The page shows the version that was sent; a later one, older than the newest note, is asked for again.
    @Test func anEditOfAHeldNoteIsNotLostWhenAnOperatorSettlesIt() async throws {
        var policy = SyncInstallation.Options()
        policy.sync.unknownCreates = .hold
        policy.sync.cursorLookback = .zero
        try await withInstallation(Self.options(.ignore, policy)) { sync in
            sync.note("n1", modified: "2026-01-02T03:01:00")
            sync.faults(.strike(.create, .drop(.after, reset: true), times: 1))
            try await sync.sync()
            let page = try #require(sync.pages.first?.id)
            sync.faults()
            sync.note("n1", text: "Later version", modified: "2026-01-02T03:02:00")
            sync.note("newest", modified: "2026-01-03T00:00:00")
            #expect(try await sync.sync().failedNotes == 1)
            let writes = UnknownWrites(pool: sync.pool)
            #expect(try await writes.settleAsWritten(user: UserID("ada"), note: "n1", page: page) == 0)
            try await sync.sync()
            #expect(sync.pages.first?.appended.last == "Later version")
            #expect(try await sync.failedNotes().isEmpty)
        }
    }

    @Test func anOperatorsWordOutlivesARefusal() async throws {
        var policy = SyncInstallation.Options()
        policy.sync.unknownCreates = .hold
        try await withInstallation(Self.options(.honour, policy)) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true)))
            try await sync.sync()
            try await sync.pool.execute("UPDATE sync_intents SET resolution = 'retry'")
            sync.faults(
                .strike(.create, .status(code: 404, detail: .null, headers: [:]), match: [.title: "Title of n1"])
            )
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            let unknown = try await sync.again(waiting)
            #expect(unknown.failedNotes == 1)
            sync.faults()
            #expect(try await sync.sync().failedNotes == 1, "unknown once more, it is held once more")
            #expect(try await sync.failedNotes() == ["n1": "held"])
            #expect(sync.pages.count == 1)
        }
    }

    /// What an operator settles while a sync is under way, which looked the note up before, is settled.
    @Test func whatIsSettledDuringASyncIsNotSentByIt() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 1
        options.sync.noteAttempts = 1
        try await withInstallation(options) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n2"]))
            #expect(try await sync.sync().failedNotes == 1)
            let page = try #require(sync.pages(of: "n2").first?.id)
            // The writer was well since: the note is sent in its turn.
            sync.faults()
            try await sync.recordWriterSuccess()
            sync.forgetCalls()
            // Reads go on; the first request waits.
            let outside = try await sync.database.connect()
            try await outside.runScript("BEGIN; LOCK TABLE sync_intents IN SHARE MODE")
            let id = try await sync.insert()
            try await eventually("a request that waits") {
                try await !sync.pool.query(
                    "SELECT FROM pg_locks WHERE NOT granted AND relation = 'sync_intents'::regclass"
                ).isEmpty
            }
            try await outside.execute(
                """
                WITH settled AS (DELETE FROM sync_intents WHERE keep_note_id = 'n2' RETURNING *)
                INSERT INTO sync_state (user_id, keep_note_id, notion_page_id, keep_modified_at, content_hash, hash_modified_at)
                SELECT user_id, keep_note_id, \(page), timezone('utc', keep_modified_at), content_hash,
                    timezone('utc', keep_modified_at) FROM settled
                """
            )
            try await outside.runScript("COMMIT")
            await outside.close()
            #expect(try await sync.ended(id, as: .completed).failedNotes == 0)
            #expect(sync.calls.creates <= 1, "one question, which makes no page")
            #expect(sync.pages(of: "n2").map(\.id) == [page])
            #expect(try await sync.surplusPages().isEmpty)
            #expect(try await sync.states()["n2"]?.page == page)
        }
    }

    @Test func anOperatorHoldsOneNoteAgainstThePolicy() async throws {
        try await withInstallation(Self.options(.ignore)) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true)))
            try await sync.sync()
            #expect(try await sync.intents().map(\.unknownCount) == [1], "sent once: the writer is not well")
            try await sync.pool.execute("UPDATE sync_intents SET resolution = 'hold'")
            sync.faults()
            sync.forgetCalls()
            #expect(try await sync.sync().failedNotes == 1)
            #expect(sync.calls.creates == 0)
        }
    }

    @Test func theWriteOfADeadWorkerIsUnknown() async throws {
        try await withInstallation(Self.options(.ignore)) { sync in
            sync.notes(1)
            let key = UUID()
            let job = JobID()
            try await sync.pool.execute(
                """
                INSERT INTO sync_jobs (job_id, user_id, status, completed_at)
                VALUES (\(job.rawValue), 'ada', 'failed', now())
                """
            )
            try await sync.pool.execute(
                """
                INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash,
                    keep_modified_at, job_id, lease)
                VALUES ('ada', 'n1', 'create', \(key), '1:00', '2026-01-02T03:01:00Z', \(job.rawValue), 0)
                """
            )
            #expect(try await sync.sync().failedNotes == 0)
            let dead = try await sync.job(job)
            #expect(try await sync.lines("WARNING", of: dead, note: "n1").first?.hasPrefix("Unknown create") == true)
            #expect(sync.pages.map(\.idempotencyKeys) == [[key.uuidString.lowercased()]])
        }
    }

    @Test func theIntentIsCommittedBeforeTheCreateIsSent() async throws {
        var options = Self.options(.ignore)
        options.writerTimeout = .seconds(20)
        try await withInstallation(options) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .latency(milliseconds: 200, jitter: 0)))
            let id = try await sync.insert()
            try await eventually("a create under way") { sync.simulator.requests.report.maxConcurrentWriterCalls > 0 }
            let intents = try await sync.intents()
            #expect(intents.count == 1, "one slot, one write that a crash would leave unknown")
            #expect(!intents.contains { $0.isUnknown })
            #expect(try await sync.settled(id).status == .completed)
            #expect(try await sync.intents().isEmpty)
        }
    }
}
