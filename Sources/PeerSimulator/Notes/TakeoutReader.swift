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
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let files = Set(names)
        var notes: [KeepNote] = []
        var left = TakeoutNote.LeftOut()
        var unreadable: [String] = []
        for name in names where name.lowercased().hasSuffix(".json") {
            do {
                let takeout = try note(file: name)
                left += takeout.left
                notes.append(note(takeout, file: name, beside: files))
            } catch {
                unreadable.append(name)
                logger.warning("Left out \(name): not a Keep note that can be read (\(Self.reason(error)))")
            }
        }
        logger.notice("\(Self.summary(notes: notes.count, left, unreadable))")
        return notes
    }

    static func summary(notes: Int, _ left: TakeoutNote.LeftOut, _ unreadable: [String]) -> String {
        let parts = [
            (left.audio, "audio recordings"), (left.colours, "colours"), (left.pins, "pins"), (left.sharees, "sharees"),
            (left.oddParts, "labels, attachments, items and links of an unknown form"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        var text = "Read \(notes) notes of the export"
        text += parts.isEmpty ? "." : "; left out \(parts.joined(separator: ", "))."
        if !unreadable.isEmpty { text += " Files that could not be read: \(unreadable.joined(separator: ", "))." }
        return text
    }

    private func note(file: String) throws -> TakeoutNote {
        let data = try TakeoutText.utf8(Data(contentsOf: folder.appendingPathComponent(file)))
        guard let takeout = TakeoutNote(try JSONDecoder().decode(JSONValue.self, from: data)) else {
            throw PeerSimulatorError(.takeoutNotFound, "it has neither title nor text")
        }
        return takeout
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
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).contains {
            $0.lowercased().hasSuffix(".json")
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .dataCorrupted: "it is not valid JSON"
        default: "\(error)"
        }
    }
}

/// The bytes of a file of an export as JSON that a decoder reads.
enum TakeoutText {
    /// UTF-8 without a byte order mark, whichever encoding the tool that wrote it took, with U+FFFD for halves of
    /// surrogate pairs.
    static func utf8(_ data: Data) -> Data {
        let bytes = Array(data)
        var text: String
        if bytes.starts(with: [0xFF, 0xFE]) {
            text = utf16(bytes.dropFirst(2), isLittleEndian: true)
        } else if bytes.starts(with: [0xFE, 0xFF]) {
            text = utf16(bytes.dropFirst(2), isLittleEndian: false)
        } else if bytes.count > 1, bytes[0] == 0 || bytes[1] == 0 {
            // JSON begins with an ASCII character.
            text = utf16(bytes[...], isLittleEndian: bytes[1] == 0)
        } else {
            text = String(
                decoding: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...],
                as: UTF8.self
            )
        }
        text = withoutLoneEscapes(text)
        return Data(text.utf8)
    }

    private static func utf16(_ bytes: ArraySlice<UInt8>, isLittleEndian: Bool) -> String {
        let units = stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2).map { index in
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            return isLittleEndian ? first | second << 8 : first << 8 | second
        }
        return String(decoding: units, as: UTF16.self)
    }

    private static func withoutLoneEscapes(_ text: String) -> String {
        let escape =
            #/\\\\|\\u([dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}/#
        guard text.contains("\\u") else { return text }
        return text.replacing(escape) { match in
            let isPairOrBackslash = match.output.1 != nil || match.output.0 == #"\\"#
            return isPairOrBackslash ? String(match.output.0) : #"\ufffd"#
        }
    }
}

extension String {
    fileprivate func leftPadded(_ width: Int) -> String {
        String(repeating: "0", count: max(0, width - count)) + self
    }
}
