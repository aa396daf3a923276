import Foundation
import Logging
import Synchronization
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
        try Data(#"{"title":"Good","textContent":"x","createdTimestampUsec":1}"#.utf8)
            .write(to: folder.appendingPathComponent("good.json"))
        try Data("{".utf8).write(to: folder.appendingPathComponent("broken.json"))
        try Data(#"{"title":7}"#.utf8).write(to: folder.appendingPathComponent("odd.json"))
        try Data(#"{"other":"product"}"#.utf8).write(to: folder.appendingPathComponent("other.json"))
        let messages = LoggedMessages()
        let notes = try TakeoutReader(path: folder.path, logger: messages.logger).notes()
        #expect(notes.map(\.title) == ["Good"])
        #expect(notes.first?.modified == KeepTimestamp(microseconds: 1))
        #expect(messages.all.count == 3)
        for name in ["broken.json", "odd.json", "other.json"] {
            #expect(messages.all.contains { $0.contains(name) })
        }
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
