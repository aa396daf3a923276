import Foundation
import Logging

/// A Google Takeout export of Keep: one JSON file per note, attachments beside them, `.html` twins ignored.
struct TakeoutReader {
    /// The folder that holds the notes.
    let folder: URL
    private let logger: Logger

    /// - Throws: `PeerSimulatorError` (`takeoutNotFound`) where neither the folder, nor `Keep` or `Takeout/Keep` in it,
    ///   holds a JSON file.
    init(path: String, logger: Logger) throws {
        let given = URL(fileURLWithPath: path, isDirectory: true)
        let candidates = [given, given.appendingPathComponent("Keep"), given.appendingPathComponent("Takeout/Keep")]
        for candidate in candidates where try Self.holdsNotes(candidate) {
            folder = candidate
            self.logger = logger
            return
        }
        throw PeerSimulatorError(
            .takeoutNotFound,
            "No Keep notes in \(path): give the Keep folder of a Google Takeout export, or the Takeout folder above it"
        )
    }

    /// The notes in the order of their file names. A file that cannot be read is named in a warning and left out; what
    /// else is left out is said at the end.
    func notes() throws -> [KeepNote] {
        let names = try Self.names(in: folder.path).sorted()
        let files = Set(names)
        var notes: [KeepNote] = []
        var report = TakeoutReport()
        for name in names where name.lowercased().hasSuffix(".json") {
            do {
                let (takeout, encoding) = try note(file: name)
                report.add(takeout, encoding, file: name)
                notes.append(note(takeout, file: name, beside: files))
            } catch {
                report.unreadable.append(name)
                logger.warning("Left out \(name): not a Keep note that can be read (\(Self.reason(error)))")
            }
        }
        logger.notice("\(report)")
        return notes
    }

    private func note(file: String) throws -> (TakeoutNote, TakeoutText.Encoding) {
        let path = folder.appendingPathComponent(file).path
        let text = TakeoutText(try TakeoutFile.contents(path))
        guard let takeout = TakeoutNote(try JSONDecoder().decode(JSONValue.self, from: text.json)) else {
            throw PeerSimulatorError(.takeoutNotFound, "it has neither title nor text")
        }
        return (takeout, text.encoding)
    }

    private func note(_ takeout: TakeoutNote, file: String, beside files: Set<String>) -> KeepNote {
        let id = Self.noteID(file: file)
        let edited = takeout.edited ?? takeout.created ?? 0
        let images = takeout.attachments.filter(\.isImage).enumerated().map { index, attachment in
            Self.image(attachment, id: "\(id).\(index + 1)", beside: files)
        }
        return KeepNote(
            id: id,
            title: takeout.title,
            content: .text(takeout.content),
            created: KeepTimestamp(microseconds: takeout.created ?? edited),
            modified: KeepTimestamp(microseconds: edited),
            labels: takeout.labels,
            images: images,
            isTrashed: takeout.isTrashed,
            isArchived: takeout.isArchived
        )
    }

    /// Takeout is known to name a `.jpeg` in the note and to store it as `.jpg`, and the other way round.
    private static func image(_ attachment: TakeoutNote.Attachment, id: String, beside files: Set<String>) -> KeepImage
    {
        let name = String(attachment.filePath.split(separator: "/").last ?? "")
        let stem = name.split(separator: ".").dropLast().joined(separator: ".")
        let found = [name, stem + ".jpg", stem + ".jpeg"].first(where: files.contains)
        return KeepImage(
            id: id,
            filename: found ?? name,
            loss: found == nil ? "Failed to download image: not found" : nil
        )
    }

    /// Two hashes of the file name in the form of Keep's own identifiers: stable over runs and machines.
    private static func noteID(file: String) -> String {
        let first = String(fnv1a(file + "#") & 0xFFF_FFFF_FFFF, radix: 16)
        let second = String(fnv1a(file), radix: 16)
        return first.leftPadded(11) + "." + second.leftPadded(16)
    }

    private static func fnv1a(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    private static func holdsNotes(_ folder: URL) throws -> Bool {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isDirectory), isDirectory.boolValue
        else {
            return false
        }
        return try names(in: folder.path).contains { $0.lowercased().hasSuffix(".json") }
    }

    private static func names(in folder: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw PeerSimulatorError(.takeoutNotFound, "Cannot read the folder \(folder)", cause: error)
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as PeerSimulatorError: error.message
        case is DecodingError: "it is not valid JSON"
        default: "it cannot be read"
        }
    }
}

extension String {
    fileprivate func leftPadded(_ width: Int) -> String {
        String(repeating: "0", count: max(0, width - count)) + self
    }
}
