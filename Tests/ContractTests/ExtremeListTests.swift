import CurlHTTP
import Foundation
import TestSupport
import Testing

@testable import NoteSync

/// Lists of notes that no table of small answers holds, over a real socket: bytes that are no text, a note of 50 MB,
/// very many notes.
@Suite(.timeLimit(.minutes(3)))
struct ExtremeListTests {
    private func fetch(_ body: [UInt8]) async throws -> NoteListFile {
        let server = try ScriptedServer([.bytes(body)])
        defer { server.stop() }
        let http = HTTPClient()
        defer { http.shutdown() }
        return try await fetch(
            KeepExtractorClient(http: http, configuration: KeepExtractorConfiguration(url: server.url))
        )
    }

    private func fetch(_ client: KeepExtractorClient) async throws -> NoteListFile {
        let fetch = try await client.fetchNotes(
            username: "ada",
            since: nil,
            limit: nil,
            traceparent: ""
        )
        guard case .notes(let list) = fetch else { throw NoList() }
        return list
    }

    private struct NoList: Error {}

    private func note(_ id: String, title: String = "t", content: String = "c") -> String {
        #"{"id":"\#(id)","title":"\#(title)","content":"\#(content)","created_at":"2026-01-02T03:04:05","#
            + #""modified_at":"2026-01-02T03:04:05","labels":[],"images":[]}"#
    }

    @Test func bytesThatAreNoTextFailTheirNoteAlone() async throws {
        var body = Array(#"{"notes":["#.utf8)
        body += Array(note("good").utf8) + [UInt8(ascii: ",")]
        for bad: [UInt8] in [[0xFF, 0xFE], [0xC3], [0xC0, 0xAF], [0xF5, 0x80, 0x80, 0x80]] {
            let text = Array(note("bad", content: "MARK").utf8)
            let mark = try #require(text.firstRange(of: Array("MARK".utf8)))
            body += text[..<mark.lowerBound] + bad + text[mark.upperBound...] + [UInt8(ascii: ",")]
        }
        body += Array(note("last").utf8) + Array(#"],"count":6}"#.utf8)
        let list = try await fetch(body)
        #expect(list.count == 6)
        #expect(try await list.note(at: 0, maximumBytes: 1 << 20).id == "good")
        #expect(try await list.note(at: 5, maximumBytes: 1 << 20).id == "last")
        for index in 1...4 {
            await #expect(throws: UnusableNote.self) { try await list.note(at: index, maximumBytes: 1 << 20) }
        }
    }

    @Test func aNoteOf50MegabytesIsReadOrRefusedByItsSize() async throws {
        let content = String(repeating: "0123456789abcdef", count: 50_000_000 / 16)
        let list = try await fetch(
            Array(#"{"notes":[\#(note("small")),\#(note("huge", content: content))],"count":2}"#.utf8)
        )
        #expect(try await list.note(at: 0, maximumBytes: 1 << 20).id == "small")
        let refusal = try await #require(throws: UnusableNote.self) {
            try await list.note(at: 1, maximumBytes: 1 << 20)
        }
        #expect(refusal.reason.contains("SYNC_MAX_NOTE_BYTES"), "\(refusal.reason)")
        #expect(try await list.note(at: 1, maximumBytes: 100_000_000).content.utf8.count == content.utf8.count)
    }

    @Test func manyNotesCostTheMemoryOfTheirPlaces() async throws {
        let count = 300_000
        let file = try TemporaryFile(in: FetchSpace(maximumBytes: .max))
        let handle = FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: false)
        try handle.write(contentsOf: Data(#"{"notes":["#.utf8))
        for start in stride(from: 0, to: count, by: 10_000) {
            let notes = (start..<start + 10_000).map { note("n\($0)") }.joined(separator: ",")
            try handle.write(contentsOf: Data((notes + (start + 10_000 < count ? "," : "")).utf8))
        }
        try handle.write(contentsOf: Data(#"],"count":\#(count)}"#.utf8))
        // The least of several: other tests run meanwhile.
        var grown = Int.max
        for _ in 1...2 {
            let before = try residentBytes()
            let list = try await NoteListFile.scan(file, maximumNotes: .max)
            grown = min(grown, try residentBytes() - before)
            #expect(list.count == count)
            #expect(try await list.note(at: count - 1, maximumBytes: 1 << 20).id == "n299999")
        }
        // Two and a half words a note, and while the arrays grow as much again and a half; the text has 39 MB, and
        // would come on top.
        #expect(grown < 45_000_000, "\(grown) bytes")
    }

    @Test func moreNotesThanAreTakenAreRefusedByTheirNumber() async throws {
        let body = Array((#"{"notes":["# + Array(repeating: "{}", count: 5000).joined(separator: ",") + "]}").utf8)
        let server = try ScriptedServer([.bytes(body), .bytes(body)])
        defer { server.stop() }
        let http = HTTPClient()
        defer { http.shutdown() }
        func client(_ maximum: Int) -> KeepExtractorClient {
            KeepExtractorClient(
                http: http,
                configuration: KeepExtractorConfiguration(url: server.url, maximumNotes: maximum)
            )
        }
        let refusal = try await #require(throws: NoteSyncError.self) { try await fetch(client(4999)) }
        #expect(refusal.code == .malformedAnswer && refusal.disposition == .permanent)
        #expect(refusal.message.contains("SYNC_MAX_FETCH_NOTES"), "\(refusal.message)")
        #expect(try await fetch(client(5000)).count == 5000)
    }

    /// What one job fetches is another's disk.
    @Test func allListsOfAWorkerTogetherAreBounded() async throws {
        let body = Array(#"{"notes":[\#(note("n", content: String(repeating: "x", count: 3_000_000)))]}"#.utf8)
        let server = try ScriptedServer(Array(repeating: .bytes(body), count: 1000))
        defer { server.stop() }
        let http = HTTPClient()
        defer { http.shutdown() }
        let client = KeepExtractorClient(
            http: http,
            configuration: KeepExtractorConfiguration(url: server.url, maximumWorkerBytes: 5_000_000)
        )
        var held: NoteListFile? = try await fetch(client)
        #expect(held?.count == 1)
        let refusal = try await #require(throws: NoteSyncError.self) { try await fetch(client) }
        #expect(refusal.code == .localFault, "\(refusal)")
        #expect(refusal.message.contains("SYNC_MAX_WORKER_FETCH_BYTES"), "\(refusal.message)")
        held = nil
        // That of the refused one too, once its transfer is over.
        try await eventually("its room to be given back") {
            do {
                return try await fetch(client).count == 1
            } catch let refusal as NoteSyncError where refusal.code == .localFault {
                return false
            }
        }
    }

    /// No other is in its way, so that nothing would come of waiting.
    @Test func aListThatIsLargerThanAWorkerMayHoldIsRefusedForGood() async throws {
        let body = Array(#"{"notes":[\#(note("n", content: String(repeating: "x", count: 3_000_000)))]}"#.utf8)
        let server = try ScriptedServer([.bytes(body)])
        defer { server.stop() }
        let http = HTTPClient()
        defer { http.shutdown() }
        let configuration = KeepExtractorConfiguration(url: server.url, maximumWorkerBytes: 2_000_000)
        let client = KeepExtractorClient(http: http, configuration: configuration)
        let refusal = try await #require(throws: NoteSyncError.self) { try await fetch(client) }
        #expect(refusal.disposition == .permanent)
        #expect(refusal.message.contains("The limit is SYNC_MAX_WORKER_FETCH_BYTES."), "\(refusal.message)")
    }

    @Test func aDiskThatIsNearlyFullTakesNoMore() throws {
        let space = FetchSpace(maximumBytes: .max)
        let file = try TemporaryFile(in: space)
        #expect(file.refusal(of: 1 << 20) == nil)
        // No disk has so much.
        let refusal = try #require(space.take(1 << 60, file.descriptor))
        #expect(refusal.contains("are free on the disk"), "\(refusal)")
        #expect(file.refusal(of: 1 << 20) == nil)
    }

    private func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (Int(fields[1]) ?? 0) * Int(getpagesize())
    }
}
