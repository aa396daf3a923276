import Configuration
import Foundation
import Logging
import Support
import Telemetry
import Testing

@testable import Settings

@Suite struct EncryptionKeySourceTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString)").path
    private var path: String { "\(folder)/state/encryption.key" }
    private var source: EncryptionKeySource {
        get throws {
            EncryptionKeySource(
                settings: try EncryptionSettings.load(from: config(["SYNC_STATE_DIR": "\(folder)/state"]))
            )
        }
    }
    private let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    private func cleanUp() {
        #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) }
    }

    @Test func `The variable comes first`() throws {
        let settings = try EncryptionSettings.load(
            from: config(["AWS_ENCRYPTION_KEY": "variable-key", "HOME": folder])
        )
        let key = try EncryptionKeySource(settings: settings).resolve(logger: silent) {
            Issue.record("no key is to be made")
            return ""
        }
        #expect(key.value.value == "variable-key")
        #expect(key.origin == .variable)
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    /// As systemd's LoadCredential and mounted secrets put it there: of another owner, behind a link.
    @Test func `A named file holds the key in place of the variable`() throws {
        defer { cleanUp() }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let (file, link) = ("\(folder)/real", "\(folder)/link")
        func resolve(_ environment: [String: String]) throws -> EncryptionKeySource.Key {
            try EncryptionKeySource(settings: try EncryptionSettings.load(from: config(environment)))
                .resolve(logger: silent) {
                    Issue.record("no key is to be made")
                    return ""
                }
        }
        let missing = try #require(throws: SettingsError.self) { try resolve(["AWS_ENCRYPTION_KEY_FILE": file]) }
        #expect(missing.description.contains("AWS_ENCRYPTION_KEY_FILE") && missing.description.contains(file))
        try Data("named-key,older-key\n".utf8).write(to: URL(filePath: file))
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o440], ofItemAtPath: file)
        let key = try resolve(["AWS_ENCRYPTION_KEY_FILE": link, "SYNC_STATE_DIR": "\(folder)/state"])
        #expect(key.value.value == "named-key,older-key" && key.origin == .namedFile(link))
        #expect(Redactor.processWide.redact("older-key") == Redactor.marker)
        try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: file)
        let open = try #require(throws: SettingsError.self) { try resolve(["AWS_ENCRYPTION_KEY_FILE": link]) }
        #expect(open.code == .keyFilePermissions && !open.description.contains("named-key"))
        let both = try #require(throws: SettingsError.self) {
            try resolve(["AWS_ENCRYPTION_KEY_FILE": link, "AWS_ENCRYPTION_KEY": "k"])
        }
        #expect(both.problems.map(\.name) == ["AWS_ENCRYPTION_KEY_FILE"])
    }

    @Test func `A key is made once, announced by a warning without it, and found again`() throws {
        defer { cleanUp() }
        let lines = RecordedLines()
        let logger = Logger(label: "t") { _ in lines.handler }
        let made = try source.resolve(logger: logger) { "generated-key" }
        #expect(made.origin == .generated(path))
        #expect(try mode(path) == 0o600)
        #expect(try mode("\(folder)/state") == 0o700)
        let again = try source.resolve(logger: logger) { "another-key" }
        #expect(again.origin == .file(path))
        #expect(again.value.value == "generated-key")
        let recorded = lines.all.withLock { $0 }
        #expect(recorded.map(\.level) == [.warning, .info])
        #expect(recorded[0].text.contains(path) && recorded[0].text.contains("AWS_ENCRYPTION_KEY"))
        #expect(!recorded.contains { $0.text.contains("generated-key") })
        #expect(Redactor.processWide.redact("generated-key") == Redactor.marker)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/state") == ["encryption.key"])
    }

    @Test func `Many at once agree on one key`() async throws {
        defer { cleanUp() }
        let source = try source
        let logger = silent
        let keys = try await withThrowingTaskGroup(of: EncryptionKeySource.Key.self) { group in
            for number in 0..<16 {
                group.addTask { try source.resolve(logger: logger) { "key-number-\(number)" } }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(keys.map(\.value.value)).count == 1)
        #expect(keys.count { $0.origin == .generated(path) } == 1)
    }

    @Test(arguments: [0o644, 0o640, 0o604])
    func `A file that others can use is refused`(permissions: Int) throws {
        defer { cleanUp() }
        _ = try source.resolve(logger: silent) { "generated-key" }
        try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: path)
        let error = try #require(throws: SettingsError.self) { try source.resolve(logger: silent) { "x" } }
        #expect(error.code == .keyFilePermissions)
        #expect(error.description.contains("chmod 600 \(path)"))
    }

    @Test func `An empty file, a link and a folder are refused`() throws {
        defer { cleanUp() }
        _ = try source.resolve(logger: silent) { "generated-key" }
        try Data("\n".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(throws: SettingsError.self) { try source.resolve(logger: silent) { "x" } }
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/etc/hostname")
        #expect(throws: SettingsError.self) { try source.resolve(logger: silent) { "x" } }
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: SettingsError.self) { try source.resolve(logger: silent) { "x" } }
    }

    @Test func `Without a place for a file the error says what to set`() throws {
        let nowhere = EncryptionKeySource(settings: try EncryptionSettings.load(from: config([:])))
        let error = try #require(throws: SettingsError.self) { try nowhere.resolve(logger: silent) { "x" } }
        #expect(error.code == .stateFolder)
        let settings = try EncryptionSettings.load(from: config(["SYNC_STATE_DIR": "/proc/nothing/here"]))
        let unwritable = try #require(throws: SettingsError.self) {
            try EncryptionKeySource(settings: settings).resolve(logger: silent) { "x" }
        }
        #expect(unwritable.code == .stateFolder)
        #expect(unwritable.description.contains("/proc/nothing/here"))
    }
}

/// What was logged.
private final class RecordedLines: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let text: String
    }

    let all = Mutex<[Line]>([])

    var handler: any LogHandler { Handler(lines: self) }

    private struct Handler: LogHandler {
        let lines: RecordedLines
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel: Logger.Level = .trace

        init(lines: RecordedLines) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = Line(level: event.level, text: "\(event.message) \(event.metadata ?? [:])")
            lines.all.withLock { $0.append(line) }
        }
    }
}
