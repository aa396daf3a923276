import Foundation
import JobQueue
import NoteSync
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(5)))
struct KeepFetchTests {
    @Test func manyNotesArriveOnceEach() async throws {
        var options = SyncInstallation.Options()
        options.syntheticNotes = 400
        try await withInstallation(options) { sync in
            let job = try await sync.sync()
            #expect(job.status == .completed)
            #expect(job.totalNotes == 400)
            #expect(job.processedNotes == 400)
            #expect(job.failedNotes == 0)
            #expect(job.completedAt != nil)
            #expect(sync.pages.count == 400)
            #expect(try await sync.states().count == 400)
            #expect(sync.simulator.requests.report.maxConcurrentWriterCalls <= 4)
            #expect(sync.simulator.requests.report.missingIdempotencyKeys == 0)
            #expect(sync.simulator.requests.report.malformedIdempotencyKeys == 0)
            #expect(Set(sync.pages.flatMap(\.idempotencyKeys)).count == 400)
            #expect(try await sync.sync().processedNotes <= 400)
            #expect(sync.calls.creates == 400)
            #expect(sync.calls.updates == 0)
        }
    }

    @Test func aNoteArrivesWithAllItHas() async throws {
        try await withInstallation { sync in
            let image = KeepImage(id: "img", filename: "photo.jpg", loss: nil)
            let text = "First\nSecond \"quoted\" \\ \u{1F600} \u{202E}rtl \u{0}nul"
            sync.note("n1", title: "Title ☑", text: text, labels: ["b", "a"], images: [image])
            #expect(try await sync.sync().status == .completed)
            let page = try #require(sync.pages.first)
            #expect(page.title == "Title ☑")
            #expect(page.appended == [text])
            #expect(page.labels == ["b", "a"])
            #expect(page.images.map(\.filename) == ["photo.jpg"])
            #expect(page.noteCreatedAt == "2026-01-02T03:04:05.123456")
            #expect(page.databaseID == SyncInstallation.databaseID)
        }
    }

    @Test(arguments: [
        Fault.malformedJSON, .truncatedJSON, .truncatedBody, .drop(.before, reset: true), .drop(.after, reset: true),
        .drop(.after, reset: false), .message("no route to host"), .status(code: 502, detail: .null, headers: [:]),
        .body(code: 200, text: ""), .body(code: 200, text: "[]"), .body(code: 200, text: "null"),
        .body(code: 200, text: #"{"count":0}"#), .body(code: 200, text: #"{"notes":{},"count":0}"#),
        .body(code: 200, text: #"{"notes":["n1"],"count":1}"#), .body(code: 200, text: #"{"notes":[],"count":1}"#),
        .body(code: 200, text: #"{"notes":[],"count":0} trailing"#), .body(code: 204, text: ""),
    ])
    func aListThatIsNotWholeWritesNothingAndMovesNothing(_ fault: Fault) async throws {
        try await withInstallation { sync in
            sync.notes(3)
            // A connection that was kept open and ends unanswered is tried once more below, hence without end.
            sync.faults(.strike(.notes, fault))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.attempt == 1)
            #expect(waiting.lastError?.contains("Keep Extractor") == true)
            #expect(sync.calls.creates == 0)
            #expect(try await sync.cursor() == nil)
            sync.faults()
            let done = try await sync.again(waiting)
            #expect(done.status == .completed)
            #expect(done.processedNotes == 3)
        }
    }

    @Test func anExtractorThatAsksForPatienceSpendsNoAttempt() async throws {
        try await withInstallation { sync in
            sync.faults(.strike(.notes, .rateLimited(status: 429, retryAfter: 40), times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.attempt == 0)
            let wait = waiting.runAt.timeIntervalSince(waiting.startedAt ?? waiting.runAt)
            #expect((39...60).contains(wait))
            #expect(try await sync.again(waiting).status == .completed)
        }
    }

    @Test func aListBeyondTheLimitFailsAndNamesTheSetting() async throws {
        var options = SyncInstallation.Options()
        options.maximumFetchBytes = 1_000
        try await withInstallation(options) { sync in
            sync.notes(20)
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(job.errorMessage?.contains("SYNC_MAX_FETCH_BYTES") == true)
            #expect(sync.pages.isEmpty)
        }
    }

    @Test func aFetchWithoutEndIsTriedAgain() async throws {
        var options = SyncInstallation.Options()
        options.keepTimeout = .milliseconds(200)
        try await withInstallation(options) { sync in
            sync.faults(.strike(.notes, .hang(seconds: 30, .before), times: 1))
            let waiting = try await sync.sync()
            #expect(waiting.status == .queued)
            #expect(waiting.lastError?.contains("fetch the notes") == true)
        }
    }

    @Test func theQueryIsPercentEncodedAndAsksForImages() async throws {
        try await withInstallation { sync in
            let user = "ada+ä&limit=1@example.org"
            try await sync.credentials.store(
                .init(
                    googleToken: SyncInstallation.googleToken,
                    notionToken: SyncInstallation.notionToken,
                    databaseID: SyncInstallation.databaseID
                ),
                of: UserID(user)
            )
            sync.notes(2)
            #expect(try await sync.sync(user: user).processedNotes == 2)
            #expect(sync.lastQuery == "username=ada%2B%C3%A4%26limit%3D1%40example.org&upload_images=true")
        }
    }

    @Test func aNoteThatLeavesKeepsListLeavesItsPageAsItIs() async throws {
        try await withInstallation { sync in
            sync.notes(2)
            try await sync.sync()
            _ = sync.simulator.noteLibrary.trash(id: "n1")
            let job = try await sync.sync(full: true)
            #expect(job.status == .completed)
            #expect(job.totalNotes == 1)
            #expect(sync.pages(of: "n1").map(\.updates) == [0])
            #expect(try await sync.states().keys.sorted() == ["n1", "n2"])
        }
    }
}
