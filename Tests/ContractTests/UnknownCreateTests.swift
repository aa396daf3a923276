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

    private static func options(
        _ idempotency: PeerSettings.Idempotency,
        _ policy: SyncInstallation.Options = .init()
    ) -> SyncInstallation.Options {
        var options = policy
        options.peers.idempotency = idempotency
        options.writerTimeout = .milliseconds(500)
        options.sync.noteConcurrency = 1
        return options
    }

    @Test(arguments: lostAnswers) func aLostAnswerIsUnknownAndTheSameKeyIsSentAgain(_ fault: Fault) async throws {
        try await withInstallation(Self.options(.ignore)) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, fault, times: 1, match: [.title: "Title of n1"]))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (2, 0))
            let warnings = try await sync.lines("WARNING", of: job, note: "n1")
            #expect(warnings.count == 1)
            #expect(warnings.first?.hasPrefix("Unknown create: the page may or may not have been written.") == true)
            #expect(try await sync.intents().isEmpty, "the second answer settles it")
            #expect(Set(sync.pages(of: "n1").flatMap(\.idempotencyKeys)).count == 1)
            #expect(sync.struck == [2])
        }
    }

    @Test(arguments: [Fault.drop(.after, reset: true), .hang(seconds: 1, .after), .truncatedBody, .missingFields])
    func aWriterThatHonoursTheKeyMakesOnePage(_ fault: Fault) async throws {
        try await withInstallation(Self.options(.honour)) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, fault, times: 2, match: [.title: "Title of n2"]))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (3, 0))
            #expect(sync.pages.count == 3)
            #expect(try await sync.states()["n2"]?.page == sync.pages(of: "n2").first?.id)
        }
    }

    @Test func theKeyOutlivesTheJob() async throws {
        try await withInstallation(Self.options(.honour)) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            let intent = try #require(try await sync.intents().first)
            #expect(intent.unknownCount == 3)
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

    /// A writer that knows the key answers with the page it made first, and has not read the new content.
    @Test func anEditBetweenTwoTriesOfACreateIsNotLost() async throws {
        try await withInstallation(Self.options(.honour)) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .drop(.after, reset: true), match: [.title: "Title of n1"]))
            _ = try await sync.sync()
            sync.faults()
            sync.edit("n1", text: "Edited meanwhile")
            let next = try await sync.sync()
            #expect(next.status == .completed)
            #expect(next.failedNotes == 0)
            #expect(sync.pages(of: "n1").count == 1)
            #expect(sync.pages(of: "n1").first?.blocks.joined(separator: "\n").contains("Edited meanwhile") == true)
            #expect(try await sync.intents().isEmpty)
            #expect(try await sync.failedNotes().isEmpty)
            let calls = sync.calls
            _ = try await sync.sync()
            #expect(sync.calls.creates == calls.creates && sync.calls.updates == calls.updates, "and now it is settled")
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
        .message("API token is invalid."), .message("Could not find database"), .message("validation_error"),
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

    @Test func anOperatorsWordOutlivesARefusal() async throws {
        var policy = SyncInstallation.Options()
        policy.sync.unknownCreates = .hold
        try await withInstallation(Self.options(.honour, policy)) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true)))
            try await sync.sync()
            try await sync.pool.execute("UPDATE sync_intents SET resolution = 'retry'")
            sync.faults(.strike(.create, .status(code: 404, detail: .null, headers: [:])))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            sync.faults(.strike(.create, .drop(.after, reset: true)))
            let unknown = try await sync.again(waiting)
            #expect(unknown.failedNotes == 1)
            #expect(try await sync.intents().map(\.unknownCount) == [2])
            sync.faults()
            #expect(try await sync.sync().failedNotes == 1, "unknown once more, it is held once more")
            #expect(try await sync.failedNotes() == ["n1": "held"])
            #expect(sync.pages.count == 1)
        }
    }

    @Test func anOperatorHoldsOneNoteAgainstThePolicy() async throws {
        try await withInstallation(Self.options(.ignore)) { sync in
            sync.notes(1)
            sync.faults(.strike(.create, .drop(.after, reset: true)))
            try await sync.sync()
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
            try await sync.pool.execute(
                """
                INSERT INTO sync_intents (user_id, keep_note_id, operation, idempotency_key, content_hash,
                    keep_modified_at, job_id, lease)
                VALUES ('ada', 'n1', 'create', \(key), '1:00', '2026-01-02T03:01:00Z', \(UUID()), 0)
                """
            )
            let job = try await sync.sync()
            #expect(job.failedNotes == 0)
            #expect(try await sync.lines("WARNING", of: job, note: "n1").first?.hasPrefix("Unknown create") == true)
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
