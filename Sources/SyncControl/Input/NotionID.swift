import Foundation

/// An identifier as Notion gives one: 32 hexadecimal digits, with dashes or without, alone or at the end of a page's
/// address.
enum NotionID {
    /// The page that a person names, in the form in which Notion's API names it.
    ///
    /// - Returns: nil if the text names none.
    static func page(_ text: String) -> String? {
        guard let digits = digits(text) ?? digits(inAddress: text, query: "p") else { return nil }
        var parts: [Substring] = []
        var rest = digits[...]
        for length in [8, 4, 4, 4, 12] {
            parts.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return parts.joined(separator: "-")
    }

    /// What a person names as a database.
    enum Database: Equatable {
        /// An identifier, as it was written or as the address ends.
        case id(String)
        /// A word that Notion gives nobody, but a stand-in for it may.
        case word(String)
    }

    /// The database that a person names.
    ///
    /// - Returns: nil if the text names none.
    static func database(_ text: String) -> Database? {
        if digits(text) != nil { return .id(text) }
        if let digits = digits(inAddress: text, query: nil) { return .id(digits) }
        let isWord = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isWord && !text.isEmpty ? .word(text) : nil
    }

    /// The 32 digits of an identifier that stands alone, in lower case.
    private static func digits(_ text: String) -> String? {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false).map(\.utf8.count)
        guard groups == [32] || groups == [8, 4, 4, 4, 12] else { return nil }
        let digits = text.lowercased().filter { $0 != "-" }
        return digits.utf8.allSatisfy(isHexadecimalDigit) ? digits : nil
    }

    /// The digits with which an address of Notion ends.
    ///
    /// - Parameter query: the part of the query that goes before: `p` is the page that lies open over another.
    private static func digits(inAddress text: String, query name: String?) -> String? {
        guard text.contains("/"), let address = URLComponents(string: text.contains("://") ? text : "https://\(text)"),
            let host = address.host?.lowercased(),
            ["notion.so", "notion.site", "notion.com"].contains(where: { host == $0 || host.hasSuffix(".\($0)") })
        else { return nil }
        if let name, let value = address.queryItems?.first(where: { $0.name == name })?.value {
            return digits(value)
        }
        let last = address.path.split(separator: "/").last.map(String.init) ?? ""
        return digits(last) ?? last.split(separator: "-").last.flatMap { digits(String($0)) }
    }

    private static func isHexadecimalDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        default: false
        }
    }
}
