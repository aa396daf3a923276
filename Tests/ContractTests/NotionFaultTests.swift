import JobQueue
import NoteSync
import Postgres
import TestSupport
import Testing

@testable import PeerSimulator

/// The table of Notion's messages, row by row, for creates and for updates.
@Suite(.timeLimit(.minutes(5)))
struct NotionFaultTests {
    static let badToken = ["API token is invalid.", "Unauthorized: no", "unauthorized"]
    static let badDatabase = ["Could not find database with ID: x. Make sure", "COULD NOT FIND DATABASE WITH ID"]
    static let gone = ["Could not find page with ID: x. Make sure", "could not find block with ID: x"]
    static let trashed = [
        "Can't edit block that is archived. You must", "Can't edit page on block with an archived ancestor.",
        "Can't update a page that is archived.",
    ]
    static let throttled = ["You have been rate limited. Please", "Request to Notion API failed with status: 429"]
    static let rejected = [
        "body failed validation. Fix one:", "body.children.length should be ≤ `100`, instead was `2429`",
        "Topics archived is not a property that exists.",
        "Invalid multi_select option, commas not allowed: archived, 2019",
    ]
    static let unknown = [
        "HTTP 529", "502 Bad Gateway", "Request to Notion API failed with status: 503", "504 Gateway Time-out",
        "Request to Notion API has timed out", "Internal Server Error", "request 7c4290ab", "instead was 2429",
        "the page is archived", "something else entirely", "",
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

    /// The database lacked a property, say, and has it now.
    @Test func whatWasRefusedIsSentAgainOnAnOperatorsWord() async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .message("body failed validation"), match: Self.titled))
            try await sync.sync()
            sync.faults()
            let refused = try await sync.sync()
            let line = try #require(try await sync.lines("WARNING", of: refused, note: "n1").first)
            #expect(line.hasPrefix("Not sent: ") && line.contains("syncctl failed retry ada"), "\(line)")
            #expect(try await FailedNotes(pool: sync.pool).release(user: UserID("ada")) == 1)
            #expect(try await sync.sync().failedNotes == 0)
            #expect(sync.pages(of: "n1").count == 1)
            #expect(try await sync.failedNotes().isEmpty)
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

    /// What one note says must decide nothing for the others.
    @Test(arguments: [
        "{label} is not a property that exists.", "option {label} is unknown", "\"{label}\": no such option",
        "{title} can't be parsed", "{beginning}: bad", "body failed validation: instead was {content}",
    ])
    func theUsersOwnWordsDecideNothing(_ message: String) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(2)
            sync.note(
                "n3",
                title: "Unauthorized",
                text: "Could not find database with ID: 1",
                labels: ["API token is invalid."]
            )
            sync.faults(.strike(.create, .quote(message), match: [.title: "Unauthorized"]))
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect((job.processedNotes, job.failedNotes) == (2, 1))
            #expect(sync.alerts.lines.isEmpty)
            #expect(try await sync.states()["n3"] == nil, "nothing was recorded as written")
            sync.faults()
            sync.edit("n3", text: "API token is invalid.")
            try await sync.pool.execute("DELETE FROM sync_intents")
            try await sync.sync()
            let before = try await sync.states()["n3"]
            sync.edit("n3", text: "Can't edit block that is archived")
            sync.faults(.strike(.update, .quote(message), match: [.title: "Unauthorized"]))
            #expect(try await sync.sync().failedNotes == 1)
            #expect(try await sync.states()["n3"] == before, "nor an edit")
        }
    }

    @Test(arguments: [true, false]) func refusedContentIsAskedForAndNotSentAgain(_ full: Bool) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .message("body failed validation"), match: Self.titled))
            #expect(try await sync.sync().failedNotes == 1)
            sync.forgetCalls()
            let second = try await sync.sync(full: full)
            #expect((second.processedNotes, second.failedNotes) == (1, 1), "it is still asked for, and still failed")
            #expect(sync.calls.creates == 0)
            #expect(try await sync.lines("WARNING", of: second, note: "n1").first?.hasPrefix("Not sent") == true)
            #expect(try await sync.failedNotes() == ["n1": "rejected"])
            sync.faults()
            sync.edit("n1")
            #expect(try await sync.sync(full: full).failedNotes == 0)
            #expect(try await sync.failedNotes().isEmpty)
            #expect(sync.pages(of: "n1").count == 1)
        }
    }

    @Test func aConflictWroteNothingAndIsTriedAgain() async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .message("Conflict occurred while saving."), times: 2, match: Self.titled))
            let job = try await sync.sync()
            #expect((job.processedNotes, job.failedNotes) == (2, 0))
            #expect(sync.calls.creates == 4)
            #expect(try await sync.lines("WARNING", of: job).isEmpty, "nothing is unknown")
            sync.edit("n1")
            sync.faults(.strike(.update, .message("Conflict occurred while saving."), match: Self.titled))
            #expect(try await sync.sync().failedNotes == 1)
            #expect(try await sync.failedNotes() == ["n1": "peerFailed"])
            #expect(try await sync.intents().isEmpty)
        }
    }

    // MARK: - Nothing is known

    @Test(arguments: unknown) func anErrorThatSaysNothingIsUnknownAndSentAgainAfterASuccess(
        _ message: String
    ) async throws {
        try await withInstallation(Self.options) { sync in
            sync.notes(2)
            sync.faults(.strike(.create, .message(message), times: 1, match: Self.titled))
            let created = try await sync.sync()
            #expect((created.processedNotes, created.failedNotes) == (2, 0))
            #expect((3...4).contains(sync.calls.creates), "one more if it had to ask whether the writer is well")
            #expect(try await sync.lines("WARNING", of: created, note: "n1").count == 1, "the outcome is unknown")
            sync.forgetCalls()
            for number in 1...2 { sync.edit("n\(number)") }
            sync.faults(.strike(.update, .message(message), times: 1, match: Self.titled))
            let updated = try await sync.sync()
            #expect((updated.processedNotes, updated.failedNotes) == (2, 0))
            #expect((3...4).contains(sync.calls.updates))
            #expect(try await sync.lines("WARNING", of: updated, note: "n1").count == 1)
            #expect(sync.pages.map(\.updates) == [1, 1])
        }
    }
}
