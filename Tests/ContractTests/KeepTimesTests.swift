import JobQueue
import NoteSync
import Testing

@testable import PeerSimulator

@Suite(.timeLimit(.minutes(5)))
struct KeepTimesTests {
    @Test func naiveTimesMeanUTCWithSixDigitsOrNone() async throws {
        try await withInstallation { sync in
            sync.note("six", modified: "2026-01-02T03:04:05.123456")
            sync.note("none", modified: "2026-01-02T03:04:05")
            try await sync.sync()
            let states = try await sync.states()
            #expect(states["six"]?.modified == "2026-01-02T03:04:05.123456")
            #expect(states["none"]?.modified == "2026-01-02T03:04:05.000000")
            #expect(try await sync.cursor() == "2026-01-02T03:04:05.123456")
        }
    }

    @Test func timesWithAnOffsetAreReadToo() async throws {
        try await withInstallation { sync in
            sync.nextFetch(
                """
                {"notes":[
                {"id":"z","title":"z","content":"","created_at":"2026-01-02T03:04:05Z","modified_at":"2026-01-02T03:04:05Z"},
                {"id":"o","title":"o","content":"","modified_at":"2026-01-02T05:34:05.5+02:30","labels":[],"images":[]}
                ],"count":2}
                """
            )
            #expect(try await sync.sync().processedNotes == 2)
            let states = try await sync.states()
            #expect(states["z"]?.modified == "2026-01-02T03:04:05.000000")
            #expect(states["o"]?.modified == "2026-01-02T03:04:05.500000")
        }
    }

    @Test func theFilterIsNaiveUTCByDefaultAndEncoded() async throws {
        try await withInstallation { sync in
            sync.note("n1")
            try await sync.sync()
            #expect(sync.lastQuery == "username=ada&upload_images=true", "nothing is known yet")
            #expect(try await sync.sync().status == .completed)
            #expect(
                sync.lastQuery == "username=ada&upload_images=true&modified_since=2026-01-02T02%3A54%3A05.123456",
                "the cursor less ten minutes"
            )
        }
    }

    @Test func newerExtractorsGetAnOffsetIfSetSo() async throws {
        var options = SyncInstallation.Options()
        options.modifiedSince = .offset
        options.peers.timestamps = .offset
        try await withInstallation(options) { sync in
            sync.note("n1")
            try await sync.sync()
            #expect(try await sync.sync().status == .completed)
            #expect(sync.lastQuery.hasSuffix("&modified_since=2026-01-02T02%3A54%3A05.123456%2B00%3A00"))
            #expect(try await sync.cursor() == "2026-01-02T03:04:05.123456")
        }
    }

    @Test(arguments: [PeerSettings.Timestamps.naive, .offset])
    func theWrongFormFailsTheJobAndNamesTheRightOne(_ extractor: PeerSettings.Timestamps) async throws {
        var options = SyncInstallation.Options()
        options.peers.timestamps = extractor
        options.modifiedSince = extractor == .naive ? .offset : .naive
        try await withInstallation(options) { sync in
            sync.note("n1")
            #expect(try await sync.sync().status == .completed, "the first one asks for all")
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(job.errorMessage?.contains("KEEP_MODIFIED_SINCE_FORMAT=\(extractor.rawValue)") == true)
        }
    }

    @Test func aFilterTheExtractorCannotReadFailsTheJob() async throws {
        try await withInstallation { sync in
            let detail = JSONValue.string("Invalid modified_since format: x")
            sync.faults(.strike(.notes, .status(code: 400, detail: detail, headers: [:])))
            let job = try await sync.sync()
            #expect(job.status == .failed)
            #expect(job.errorMessage?.contains("KEEP_MODIFIED_SINCE_FORMAT") == true)
        }
    }

    @Test func aFailedNoteFromTheBeginningOfTimeDoesNotBreakTheFilter() async throws {
        try await withInstallation { sync in
            sync.note("old", modified: "0001-01-01T00:00:00")
            sync.note("new")
            sync.faults(
                .strike(.create, .message("body failed validation: no"), times: 1, match: [.title: "Title of old"])
            )
            let first = try await sync.sync()
            #expect(first.failedNotes == 1)
            sync.note("old", text: "Mended", modified: "0001-01-01T00:00:00")
            let second = try await sync.sync()
            #expect(second.status == .completed)
            #expect(sync.pages(of: "old").count == 1)
        }
    }

    @Test func peersGetTheTimeTheyNeed() {
        #expect(KeepExtractorConfiguration().notesTimeout == .seconds(1800))
        #expect(KeepExtractorConfiguration().modifiedSince == .naive)
        #expect(NotionWriterConfiguration().timeout == .seconds(180))
        #expect(SyncConfiguration().cursorLookback == .seconds(600))
    }
}
