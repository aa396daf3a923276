/// Identifier of a Notion database in the one form in which two of them are compared: 32 lower-case hexadecimal digits,
/// whether it was written with dashes, as a whole address or with a title before it. Anything else stays as it is.
///
/// The function `sync_notion_database` of the tables does the same.
struct NotionDatabaseID: Hashable, Sendable {
    let text: String

    init(_ written: String) {
        let trimmed = written.trimmingWhitespace
        var path = trimmed.prefix { $0 != "?" && $0 != "#" }
        while path.last == "/" { path.removeLast() }
        let last = path.split(separator: "/").last ?? ""
        let digits = last.lowercased().filter { $0 != "-" }.utf8.suffix(32)
        let isIdentifier = digits.count == 32 && digits.allSatisfy { $0.isHexadecimalDigit }
        text = isIdentifier ? String(decoding: digits, as: UTF8.self) : String(trimmed)
    }

    /// - Parameter stored: as it stands in the tables.
    init(stored: String) {
        text = stored
    }
}

extension String {
    fileprivate var trimmingWhitespace: Substring {
        let start = drop { $0.isWhitespace }
        return start.lastIndex { !$0.isWhitespace }.map { start[...$0] } ?? ""
    }
}

extension UInt8 {
    fileprivate var isHexadecimalDigit: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self)
    }
}
