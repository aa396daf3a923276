import Foundation

/// One note's JSON file of a Google Takeout `Keep` folder, read as Google and its users' tools write it: what has an
/// unexpected form is left out by itself, and counted, and takes nothing with it.
struct TakeoutNote {
    struct Attachment {
        var filePath: String
        var mimetype: String?

        var isImage: Bool { mimetype?.hasPrefix("image/") ?? true }
        var isAudio: Bool { mimetype?.hasPrefix("audio/") ?? false }
    }

    var title = ""
    /// The text, the checklist's items as lines that begin with ☐ or ☑, then the web links that the text does not hold
    /// already.
    var content = ""
    var labels: [String] = []
    var attachments: [Attachment] = []
    var isTrashed = false
    var isArchived = false
    /// In microseconds since 1970.
    var edited: Int64?
    var created: Int64?
    var left = LeftOut()

    /// What of notes has no place in what the extractor answers.
    struct LeftOut: Equatable {
        var audio = 0
        var colours = 0
        var pins = 0
        var sharees = 0
        /// Labels, attachments, items and links of a form that nobody knows.
        var oddParts = 0

        static func += (sum: inout LeftOut, other: LeftOut) {
            sum.audio += other.audio
            sum.colours += other.colours
            sum.pins += other.pins
            sum.sharees += other.sharees
            sum.oddParts += other.oddParts
        }
    }

    /// - Returns: nil for JSON that is another product's, or no object.
    init?(_ json: JSONValue) {
        let keys = ["title", "textContent", "listContent", "attachments", "annotations"]
        guard case .object(let members) = json, keys.contains(where: { members[$0] ?? .null != .null }) else {
            return nil
        }
        title = json["title"]?.text ?? ""
        isTrashed = json["isTrashed"]?.truth ?? false
        isArchived = json["isArchived"]?.truth ?? false
        edited = json["userEditedTimestampUsec"]?.microseconds
        created = json["createdTimestampUsec"]?.microseconds
        readContent(json)
        for label in json["labels"]?.elements ?? [] {
            if let name = label.text ?? label["name"]?.text { labels.append(name) } else { left.oddParts += 1 }
        }
        for attachment in json["attachments"]?.elements ?? [] {
            guard let path = attachment.text ?? attachment["filePath"]?.text else {
                left.oddParts += 1
                continue
            }
            attachments.append(Attachment(filePath: path, mimetype: attachment["mimetype"]?.text))
        }
        left.audio = attachments.count(where: \.isAudio)
        left.colours = (json["color"]?.text ?? "DEFAULT") == "DEFAULT" ? 0 : 1
        left.pins = json["isPinned"]?.truth == true ? 1 : 0
        left.sharees = json["sharees"]?.elements.count ?? 0
    }

    private mutating func readContent(_ json: JSONValue) {
        var lines: [String] = []
        if let text = json["textContent"]?.text, !text.isEmpty { lines.append(text) }
        for item in json["listContent"]?.elements ?? [] {
            guard let text = item.text ?? item["text"]?.text else {
                if item["isChecked"] == nil { left.oddParts += 1 } else { lines.append(Self.box(item)) }
                continue
            }
            lines.append(Self.box(item) + text)
        }
        let text = lines.joined(separator: "\n")
        for link in json["annotations"]?.elements ?? [] {
            guard let url = link.text ?? link["url"]?.text, !url.isEmpty else {
                left.oddParts += 1
                continue
            }
            guard !text.contains(url) else { continue }
            let name = link["title"]?.text ?? ""
            lines.append(name.isEmpty || name == url ? url : "\(name): \(url)")
        }
        content = lines.joined(separator: "\n")
    }

    private static func box(_ item: JSONValue) -> String { item["isChecked"]?.truth == true ? "☑ " : "☐ " }
}

extension JSONValue {
    /// A text, or a number as text.
    fileprivate var text: String? {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        default: nil
        }
    }

    fileprivate var truth: Bool? {
        switch self {
        case .bool(let value): value
        case .string(let text): Bool(text.lowercased())
        case .integer(let number): number != 0
        default: nil
        }
    }

    /// The elements of a list; anything else that is there counts as a list of one.
    fileprivate var elements: [JSONValue] {
        switch self {
        case .array(let elements): elements
        case .null: []
        default: [self]
        }
    }

    /// Microseconds since 1970: as a number, as digits in a text, or as an ISO 8601 time.
    fileprivate var microseconds: Int64? {
        switch self {
        case .integer(let number): Int64(number)
        case .number(let number): Int64(exactly: number.rounded())
        case .string(let text): Int64(text) ?? KeepTimestamp.parse(text)?.timestamp.microseconds
        default: nil
        }
    }
}
