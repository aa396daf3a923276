import Foundation

/// One note's JSON file of a Google Takeout `Keep` folder.
struct TakeoutNote: Decodable {
    struct ListItem: Decodable {
        let text: String?
        let isChecked: Bool?
    }

    struct Label: Decodable {
        let name: String
    }

    struct Attachment: Decodable {
        let filePath: String
        let mimetype: String?
    }

    let title: String?
    let textContent: String?
    let listContent: [ListItem]?
    let labels: [Label]?
    let attachments: [Attachment]?
    let isTrashed: Bool?
    let isArchived: Bool?
    let userEditedTimestampUsec: Int64?
    let createdTimestampUsec: Int64?

    /// The text, then the checklist's items as lines that begin with ☐ or ☑.
    var content: String {
        var lines: [String] = []
        if let textContent, !textContent.isEmpty { lines.append(textContent) }
        for item in listContent ?? [] {
            lines.append((item.isChecked == true ? "☑ " : "☐ ") + (item.text ?? ""))
        }
        return lines.joined(separator: "\n")
    }

    /// True for a JSON object that is a note and not another product's file.
    var isNote: Bool { title != nil || textContent != nil || listContent != nil || attachments != nil }
}
