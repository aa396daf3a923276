import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// The table of Notion's messages, row by row, for creates and for updates.
@Suite(.timeLimit(.minutes(5)))
struct NotionFaultTests {
    static let badToken = ["API token is invalid.", "api TOKEN is Invalid", "Unauthorized: no", "unauthorized"]
    static let badDatabase = ["Could not find database with ID: x. Make sure", "COULD NOT FIND DATABASE"]
    static let gone = ["Could not find page with ID: x. Make sure", "could not find block with ID: x"]
    static let trashed = ["Can't edit block that is archived. You must", "Page is In Trash"]
    static let throttled = ["rate_limited", "You hit the Rate Limit", "HTTP 429"]
    static let rejected = [
        "validation_error", "body failed validation. Fix one:", "body.children.length Should Be ≤ 100",
    ]
    static let unknown = [
        "Conflict occurred while saving", "HTTP 529", "502 Bad Gateway", "503", "504 Gateway Time-out", "timeout",
        "Internal Server Error", "something else entirely", "",
    ]

    private static let titled = [FaultRule.Criterion.title: "Title of n1"]

    /// Two notes, one after the other; the first meets the fault.
    private static var options: SyncInstallation.Options {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 1
        return options
    }

    // MARK: - The whole job is over

    @Test(arguments: badToken + badDatabase + trashed + gone) func aCreateWithoutHopeFailsTheJobAtOnce(
        _ message: String
    ) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(5)
            sync.faults(.strike(.create, .message(message)))
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(job.attempt == 1)
            #expect(sync.calls.creates == 1, "no more calls")
            #expect(sync.alerts.lines.count == 1)
            #expect(try await sync.lines("ERROR", of: job).count == 1)
            #expect(try await sync.intents().isEmpty, "it was refused for certain")
            #expect(try await sync.cursor() == nil)
            #expect(job.errorMessage?.contains("syncctl credentials set ada") == true)
        }
    }

    @Test(arguments: badToken + badDatabase) func anUpdateWithoutHopeFailsTheJobAtOnce(_ message: String) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(5)
            try await sync.sync()
            for number in 1...5 { sync.edit("n\(number)") }
            sync.faults(.strike(.update, .message(message)))
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(sync.calls.updates == 1, "no more calls")
            #expect(sync.alerts.lines.count == 1)
            #expect(try await sync.intents().isEmpty)
        }
    }

    @Test func aTokenRevokedInTheMiddleEndsTheCalls() async throws {
        var options = SyncInstallation.Options()
        options.sync.noteConcurrency = 3
        try await withInstallation(options) { sync in
            sync.notes(40)
            sync.faults(.strike(.create, .message("API token is invalid."), after: 10))
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(sync.pages.count == 10)
            #expect(job.processedNotes == 10)
            #expect(sync.calls.creates <= 13, "those in flight at that moment, and none after")
            #expect(try await sync.states().count == 10)
        }
    }

    @Test func aJobThatFailedForTheTokenGoesOnWithANewOne() async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(3)
            sync.simulator.pages.setRevoked(true, token: SyncInstallation.notionToken)
            let failed = try await sync.sync()
            #expect(failed.status == .failed)
            try await sync.storeCredentials(notion: "secret_new")
            // As an operator does it in psql.
            try await sync.pool.execute("UPDATE sync_jobs SET status = 'queued' WHERE job_id = \(failed.id.rawValue)")
            try await sync.pool.execute("SELECT pg_notify('sync_jobs', '')")
            #expect(try await sync.ended(failed.id, as: .completed).processedNotes == 3)
        }
    }

    // MARK: - The note is over

    @Test(arguments: rejected) func aNoteThatCanNeverBeWrittenFailsAloneAndAtOnce(_ message: String) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .message(message), match: Self.titled))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (2, 1))
            #expect(sync.calls.creates == 3, "one try each")
            #expect(try await sync.failedNotes() == ["n1": "rejected"])
            #expect(try await sync.lines("WARNING", of: job, note: "n1").count == 1)
            #expect(try await sync.intents().isEmpty)
            for number in 1...3 { sync.edit("n\(number)") }
            sync.faults(.strike(.update, .message(message), match: [.title: "Title of n2"]))
            let update = try await sync.sync()
            #expect((update.processedNotes, update.failedNotes) == (2, 1))
            #expect(sync.calls.updates == 2)
            #expect(try await sync.failedNotes() == ["n2": "rejected"])
        }
    }

    @Test(arguments: [PeerSimulator.Operation.create, .update])
    func theListOfAValidationErrorIsRead(_ operation: PeerSimulator.Operation) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(2)
            if operation == .update {
                try await sync.sync()
                for number in 1...2 { sync.edit("n\(number)") }
            }
            let issues = JSONValue.array([
                .object([
                    "type": .string("string_too_long"), "msg": .string("String should have at most 2000 characters"),
                    "loc": .array([.string("body"), .string("note"), .string("labels"), .integer(0)]),
                    "input": .string("the note's own text"),
                ])
            ])
            sync.faults(.strike(operation, .status(code: 422, detail: issues, headers: [:]), match: Self.titled))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (1, 1))
            let line = try #require(try await sync.lines("WARNING", of: job, note: "n1").first)
            #expect(line.contains("body.note.labels.0: String should have at most 2000 characters"))
            #expect(!line.contains("the note's own text"))
        }
    }

    // MARK: - Nothing is known

    @Test(arguments: unknown) func anErrorThatSaysNothingIsTriedAgain(_ message: String) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .message(message), times: 2, match: Self.titled))
            let created = try await sync.sync()
            #expect((created.processedNotes, created.failedNotes) == (2, 0))
            #expect(sync.calls.creates == 4)
            #expect(try await sync.lines("WARNING", of: created, note: "n1").count == 2, "each outcome is unknown")
            sync.forgetCalls()
            for number in 1...2 { sync.edit("n\(number)") }
            sync.faults(.strike(.update, .message(message), times: 2, match: Self.titled))
            let updated = try await sync.sync()
            #expect((updated.processedNotes, updated.failedNotes) == (2, 0))
            #expect(sync.calls.updates == 4)
            #expect(sync.pages.map(\.updates) == [1, 1])
        }
    }

    @Test func aNoteHasSoManyTriesAndNoMore() async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(3)
            sync.faults(.strike(.create, .message("Conflict"), match: Self.titled))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (2, 1))
            #expect(sync.calls.creates == 5)
            #expect(try await sync.failedNotes() == ["n1": "unknownCreate"])
            for number in 2...3 { sync.edit("n\(number)") }
            sync.faults(
                .strike(.update, .message("Conflict"), match: [.title: "Title of n2"]),
                .strike(.create, .message("Conflict"))
            )
            sync.forgetCalls()
            let second = try await sync.sync()
            #expect((second.processedNotes, second.failedNotes) == (1, 2))
            #expect(sync.calls.updates == 4)
            #expect(sync.calls.creates == 3)
            #expect(try await sync.failedNotes() == ["n1": "unknownCreate", "n2": "peerFailed"])
        }
    }
}
