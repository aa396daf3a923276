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

    /// The notes in the order of their file names. A file that cannot be read is named in a warning and left out.
    func notes() throws -> [KeepNote] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let files = Set(names)
        var notes: [KeepNote] = []
        for name in names where name.hasSuffix(".json") {
            do {
                notes.append(try note(file: name, beside: files))
            } catch {
                logger.warning("Left out \(name): not a Keep note that can be read (\(Self.reason(error)))")
            }
        }
        return notes
    }

    private func note(file: String, beside files: Set<String>) throws -> KeepNote {
        let url = folder.appendingPathComponent(file)
        let takeout = try JSONDecoder().decode(TakeoutNote.self, from: Data(contentsOf: url))
        guard takeout.isNote else { throw PeerSimulatorError(.takeoutNotFound, "it has neither title nor text") }
        let id = Self.noteID(file: file)
        let edited = takeout.userEditedTimestampUsec ?? takeout.createdTimestampUsec ?? 0
        let images = (takeout.attachments ?? []).filter(\.isImage).enumerated().map { index, attachment in
            Self.image(attachment, id: "\(id).\(index + 1)", beside: files)
        }
        return KeepNote(
            id: id,
            title: takeout.title ?? "",
            content: .text(takeout.content),
            created: KeepTimestamp(microseconds: takeout.createdTimestampUsec ?? edited),
            modified: KeepTimestamp(microseconds: edited),
            labels: (takeout.labels ?? []).map(\.name),
            images: images,
            isTrashed: takeout.isTrashed ?? false,
            isArchived: takeout.isArchived ?? false
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
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).contains { $0.hasSuffix(".json") }
    }

    private static func reason(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .dataCorrupted: "it is not valid JSON"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) has an unexpected form"
        default: "\(error)"
        }
    }
}

extension TakeoutNote.Attachment {
    fileprivate var isImage: Bool { mimetype?.hasPrefix("image/") ?? true }
}

extension String {
    fileprivate func leftPadded(_ width: Int) -> String {
        String(repeating: "0", count: max(0, width - count)) + self
    }
}
