import Foundation

/// One note's JSON file of a Google Takeout `Keep` folder, read as Google and its users' tools write it: what has an
/// unexpected form is left out by itself, and counted, and takes nothing with it.
struct TakeoutNote {
    struct Attachment {
        var filePath: String
        var mimetype: String?

        var isImage: Bool { mimetype.map { $0.hasPrefix("image/") } ?? !isAudio }
        var isAudio: Bool { mimetype.map { $0.hasPrefix("audio/") } ?? Self.sounds.contains(ending) }

        private var ending: String { filePath.split(separator: ".").last.map { $0.lowercased() } ?? "" }
        private static let sounds: Set<String> = [
            "3gp", "3gpp", "aac", "amr", "m4a", "mp3", "oga", "ogg", "opus", "wav",
        ]
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
        /// Attachments that are neither images nor recordings.
        var files = 0
        var colours = 0
        var pins = 0
        var sharees = 0
        /// Titles, texts, labels, attachments, items, links and marks of a form that nobody knows.
        var oddParts = 0
        /// Times of a form that nobody knows, and such as no note can have.
        var oddTimes = 0

        static func += (sum: inout LeftOut, other: LeftOut) {
            sum.audio += other.audio
            sum.files += other.files
            sum.colours += other.colours
            sum.pins += other.pins
            sum.sharees += other.sharees
            sum.oddParts += other.oddParts
            sum.oddTimes += other.oddTimes
        }
    }

    /// - Returns: nil for JSON that is another product's, or no object.
    init?(_ json: JSONValue) {
        let keys = ["title", "textContent", "textContentHtml", "listContent", "attachments", "annotations"]
        guard case .object(let members) = json, keys.contains(where: { members[$0] ?? .null != .null }) else {
            return nil
        }
        title = text(json["title"]) ?? ""
        isTrashed = truth(json["isTrashed"]) ?? false
        isArchived = truth(json["isArchived"]) ?? false
        edited = moment(json["userEditedTimestampUsec"])
        created = moment(json["createdTimestampUsec"])
        readContent(json)
        for label in json["labels"]?.elements ?? [] {
            if let name = label.text ?? label["name"]?.text { labels.append(name) } else { left.oddParts += 1 }
        }
        for attachment in json["attachments"]?.elements ?? [] {
            guard let path = attachment.text ?? attachment["filePath"]?.text, !path.isEmpty else {
                left.oddParts += 1
                continue
            }
            attachments.append(Attachment(filePath: path, mimetype: text(attachment["mimetype"])?.lowercased()))
        }
        left.audio = attachments.count(where: \.isAudio)
        left.files = attachments.count { !$0.isAudio && !$0.isImage }
        left.colours = (text(json["color"]) ?? "DEFAULT").uppercased() == "DEFAULT" ? 0 : 1
        left.pins = truth(json["isPinned"]) == true ? 1 : 0
        left.sharees = json["sharees"]?.elements.count ?? 0
    }

    private mutating func readContent(_ json: JSONValue) {
        var lines: [String] = []
        if let text = text(json["textContent"], orHTML: json["textContentHtml"]), !text.isEmpty { lines.append(text) }
        for item in json["listContent"]?.elements ?? [] {
            if let line = line(ofItem: item) { lines.append(line) }
        }
        let content = lines.joined(separator: "\n")
        for link in json["annotations"]?.elements ?? [] {
            guard let url = link.text ?? link["url"]?.text, !url.isEmpty else {
                left.oddParts += 1
                continue
            }
            let name = text(link["title"]) ?? ""
            guard !TakeoutLinks.text(content, shows: url) else { continue }
            lines.append(name.isEmpty || name == url ? url : "\(name): \(url)")
        }
        self.content = lines.joined(separator: "\n")
    }

    private mutating func line(ofItem item: JSONValue) -> String? {
        let checked = truth(item["isChecked"])
        let box = checked == true ? "☑ " : "☐ "
        if let text = item.text ?? text(item["text"], orHTML: item["textHtml"]) { return box + text }
        if item["isChecked"] == nil {
            // What stands there in an unknown form was counted as a text.
            if item["text"]?.isNull ?? true, item["textHtml"]?.isNull ?? true { left.oddParts += 1 }
            return nil
        }
        return box
    }

    /// The text, or where there is none what its HTML twin says.
    private mutating func text(_ plain: JSONValue?, orHTML html: JSONValue?) -> String? {
        let plainText = text(plain)
        if let plainText, !plainText.isEmpty { return plainText }
        return text(html).map(HTMLText.text) ?? plainText
    }

    /// Nothing, without a count, where nothing is.
    private mutating func text(_ value: JSONValue?) -> String? {
        guard let value, !value.isNull else { return nil }
        if value.text == nil { left.oddParts += 1 }
        return value.text
    }

    private mutating func truth(_ value: JSONValue?) -> Bool? {
        guard let value, !value.isNull, value.text != "" else { return nil }
        if value.truth == nil { left.oddParts += 1 }
        return value.truth
    }

    /// Zero is how Google writes that there is none.
    private mutating func moment(_ value: JSONValue?) -> Int64? {
        guard let value, !value.isNull, value.text != "0", value.text != "" else { return nil }
        if value.moment == nil { left.oddTimes += 1 }
        return value.moment
    }
}

enum TakeoutLinks {
    /// Whether a text holds the whole of a link: not only the beginning of a longer one, or the end of another.
    static func text(_ text: String, shows url: String) -> Bool {
        let (text, url) = (Array(text.utf8), Array(url.utf8))
        var start = 0
        while start + url.count <= text.count {
            guard let found = text[start...].firstIndex(of: url[0]), found + url.count <= text.count else {
                return false
            }
            let end = found + url.count
            if text[found..<end].elementsEqual(url), begins(text[..<found]), ends(text[end...]) { return true }
            start = found + 1
        }
        return false
    }

    private static func begins(_ before: ArraySlice<UInt8>) -> Bool {
        guard let byte = before.last else { return true }
        return !isLetterOrDigit(byte) && !"/=&%?#_-.@:".utf8.contains(byte)
    }

    /// Marks of the sentence that a link stands in may follow it.
    private static func ends(_ after: ArraySlice<UInt8>) -> Bool {
        let next = after.first { !".,;:!?)]}'*_~".utf8.contains($0) }
        guard let next else { return true }
        return next <= 0x20 || "<>\"(".utf8.contains(next)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        byte >= 0x80 || Unicode.Scalar(byte).properties.isAlphabetic || (0x30...0x39).contains(byte)
    }
}
