import Foundation
import Logging
import Support
import TestSupport
import Testing

@testable import PeerSimulator

@Suite struct TakeoutTests {
    private static let sample = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("deploy/sample-export")

    @Test(arguments: ["", "Takeout", "Takeout/Keep"]) func sampleExport(_ folder: String) throws {
        let messages = LoggedMessages()
        let reader = try TakeoutReader(path: Self.sample.appendingPathComponent(folder).path, logger: messages.logger)
        let notes = try reader.notes()
        #expect(messages.all.isEmpty)
        #expect(notes.count == 185)
        #expect(notes.count(where: \.isTrashed) == 4)
        #expect(notes.count(where: \.isArchived) == 6)
        let listed = notes.filter(\.isListed)
        #expect(listed.count == 175)
        #expect(Set(notes.map(\.id)).count == 185)
        #expect(listed.count { $0.title.isEmpty } == 16)
        #expect(listed.flatMap(\.images).count { $0.loss != nil } == 3)
        #expect(listed.contains { $0.content.text.isEmpty && $0.images.isEmpty })
        #expect(listed.contains { $0.content.text.isEmpty && !$0.images.isEmpty })
        #expect(listed.contains { $0.content.text.split(separator: "\n").contains { $0.count >= 2_500 } })
        #expect(listed.contains { $0.content.text.split(separator: "\n").count == 120 })
    }

    @Test func checklistsLabelsAndTheExtensionTrap() throws {
        let notes = try TakeoutReader(path: Self.sample.path, logger: LoggedMessages().logger).notes()
        let groceries = try #require(notes.first { $0.title == "Groceries" })
        #expect(groceries.content.text.hasPrefix("☑ bananas\n☑ yoghurt\n☐ cat food"))
        #expect(groceries.labels == ["Shopping"])
        let bread = try #require(notes.first { $0.title == "Bread, version 8" })
        #expect(bread.images.map(\.filename) == ["bread-v8.jpg"])
        #expect(bread.images.first?.loss == nil)
        let bike = try #require(notes.first { $0.title == "Bike" })
        #expect(bike.images.map { $0.loss != nil } == [false, true])
    }

    @Test func identifiersStayTheSame() throws {
        let logger = LoggedMessages().logger
        let first = try TakeoutReader(path: Self.sample.path, logger: logger).notes().map(\.id)
        #expect(try TakeoutReader(path: Self.sample.path, logger: logger).notes().map(\.id) == first)
    }

    @Test func unreadableFilesAreNamedAndLeftOut() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("takeout-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        try Data(#"{"title":"Good","textContent":"x","createdTimestampUsec":1700000000000000}"#.utf8)
            .write(to: folder.appendingPathComponent("good.json"))
        try Data("{".utf8).write(to: folder.appendingPathComponent("broken.json"))
        try Data(#"["a"]"#.utf8).write(to: folder.appendingPathComponent("odd.json"))
        try Data(#"{"other":"product"}"#.utf8).write(to: folder.appendingPathComponent("other.json"))
        let messages = LoggedMessages()
        let notes = try TakeoutReader(path: folder.path, logger: messages.logger).notes()
        #expect(notes.map(\.title) == ["Good"])
        #expect(notes.first?.modified == KeepTimestamp(microseconds: 1_700_000_000_000_000))
        #expect(messages.all.count == 3)
        for name in ["broken.json", "odd.json", "other.json"] {
            #expect(messages.all.contains { $0.contains(name) })
        }
    }

    private func read(_ files: [String: Data]) throws -> (notes: [String: KeepNote], messages: [String]) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("takeout-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        for (name, data) in files { try data.write(to: folder.appendingPathComponent(name)) }
        let messages = LoggedMessages()
        let notes = try TakeoutReader(path: folder.path, logger: messages.logger).notes()
        return (Dictionary(uniqueKeysWithValues: notes.map { ($0.title, $0) }), messages.all)
    }

    @Test(arguments: [
        #""1700000000000000""#, "1700000000000000", "1.7e15", #""2023-11-14T22:13:20""#, #""2023-11-14T22:13:20Z""#,
    ])
    func timesOfEveryForm(_ time: String) throws {
        let json =
            #"{"title":"t","textContent":"x","userEditedTimestampUsec":\#(time),"createdTimestampUsec":\#(time)}"#
        let note = try #require(try read(["a.json": Data(json.utf8)]).notes["t"])
        #expect(note.modified.text(.naive) == "2023-11-14T22:13:20")
        #expect(note.created == note.modified)
    }

    @Test func partsOfAnOddFormTakeNothingWithThem() throws {
        let json = """
            {"title":"t","textContent":"text https://a.example/","labels":["plain",{"name":"named"},{"x":1},7],
             "attachments":[{"filePath":"a.jpg"},"b.jpg",{"mimetype":"image/png"},{"filePath":"c.3gp","mimetype":"audio/3gpp"}],
             "listContent":["item",{"text":"done","isChecked":true},{"isChecked":false},[]],
             "annotations":[{"url":"https://a.example/"},{"url":"https://b.example/","title":"B"},{"title":"no url"}],
             "color":"RED","isPinned":true,"isTrashed":"false","sharees":[{"email":"x"}]}
            """
        let folder = try read(["a.json": Data(json.utf8)])
        let note = try #require(folder.notes["t"])
        #expect(note.content.text == "text https://a.example/\n☐ item\n☑ done\n☐ \nB: https://b.example/")
        #expect(note.labels == ["plain", "named", "7"])
        #expect(note.images.map(\.filename) == ["a.jpg", "b.jpg"])
        let takeout = try #require(TakeoutNote(try JSONDecoder().decode(JSONValue.self, from: Data(json.utf8))))
        #expect(takeout.left == .init(audio: 1, colours: 1, pins: 1, sharees: 1, oddParts: 4))
        let summary = TakeoutReport(notes: 1, left: takeout.left, unreadable: ["x.json"]).description
        for part in ["1 audio", "1 colours", "1 pins", "1 sharees", "4 titles, texts, labels", "x.json"] {
            #expect(summary.contains(part))
        }
    }

    @Test func aNoteOfLinksAlone() throws {
        let json =
            #"{"annotations":[{"url":"https://a.example/","title":"A page"}],"createdTimestampUsec":1700000000000000}"#
        #expect(try read(["a.json": Data(json.utf8)]).notes[""]?.content.text == "A page: https://a.example/")
    }

    @Test func otherEncodingsAndHalvesOfPairs() throws {
        func note(_ title: String) -> String {
            #"{"title":"\#(title)","textContent":"Grüße 😀 \ud83d \\ud83d \ud83d\ude00"}"#
        }
        var files = ["a.json": Data([0xEF, 0xBB, 0xBF]) + Data(note("bom").utf8)]
        files["b.json"] = note("le").data(using: .utf16LittleEndian).map { Data([0xFF, 0xFE]) + $0 }
        files["c.json"] = note("be").data(using: .utf16BigEndian).map { Data([0xFE, 0xFF]) + $0 }
        files["d.json"] = note("bare").data(using: .utf16LittleEndian)
        let folder = try read(files)
        #expect(folder.messages.isEmpty)
        #expect(folder.notes.keys.sorted() == ["bare", "be", "bom", "le"])
        #expect(folder.notes.values.allSatisfy { $0.content.text == "Grüße 😀 \u{FFFD} \\ud83d 😀" })
    }

    @Test func aFolderWithoutNotesIsAnError() {
        #expect(throws: PeerSimulatorError.self) {
            try TakeoutReader(path: "/nonexistent", logger: LoggedMessages().logger)
        }
    }

    @Test func timestampsReadAndPrint() throws {
        for text in [
            "2026-01-02T03:04:05.123456", "2026-01-02T03:04:05", "1969-12-31T23:59:59.999999", "2024-02-29T00:00:00",
        ] {
            let (timestamp, hasOffset) = try #require(KeepTimestamp.parse(text))
            #expect(timestamp.text(.naive) == text)
            #expect(!hasOffset)
        }
        #expect(
            KeepTimestamp.parse("2026-01-02T03:04:05.5+02:00")?.timestamp.text(.offset)
                == "2026-01-02T01:04:05.500000+00:00"
        )
        #expect(KeepTimestamp.parse("2026-01-02T03:04:05Z")?.hasOffset == true)
        for wrong in ["", "2026", "2026-13-01", "2026-02-29", "2026-01-02T25:00:00", "2026-01-02T03:04:05 00:00"] {
            #expect(KeepTimestamp.parse(wrong) == nil, "\(wrong)")
        }
    }
}

/// A logger whose messages a test can read.
final class LoggedMessages: Sendable {
    private let messages = Mutex<[String]>([])

    var all: [String] { messages.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(owner: self) }
    }

    private struct Handler: LogHandler {
        let owner: LoggedMessages
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.warning

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            owner.messages.withLock { $0.append("\(event.message)") }
        }
    }
}
