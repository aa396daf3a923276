/// A message of a peer, read as text that may hold what a user wrote.
enum PeerMessage {
    /// The writer's own words before Notion's.
    static let prefixes = ["Failed to create Notion page:", "Failed to update Notion page:"]

    /// A message without the writer's own words before Notion's.
    static func withoutPrefix(_ message: String) -> Substring {
        for prefix in prefixes where message.hasPrefix(prefix) {
            return message.dropFirst(prefix.count).drop { $0.isWhitespace }
        }
        return message[...]
    }

    /// What ends a quotation that begins with a character; nil if none does. An apostrophe begins none, as in "can't".
    static func closingQuote(of opening: Character?) -> Character? {
        switch opening {
        case "\"": "\""
        case "`": "`"
        case "“", "„": "”"
        case "«": "»"
        default: nil
        }
    }

    /// Finds a template at the beginning of a text, upper and lower case being equal. `#` is a number of at most six
    /// digits, such as a status or a limit.
    ///
    /// - Returns: the template with the numbers of the text, and where it ends; nil also if that is in a word.
    static func match(_ template: String, _ text: Substring) -> (text: String, end: String.Index)? {
        var rest = text
        var result = ""
        for character in template {
            if character == "#" {
                let number = rest.prefix { $0.isASCII && $0.isNumber }
                guard (1...longestNumber).contains(number.utf8.count) else { return nil }
                result += number
                rest = rest[number.endIndex...]
            } else {
                guard let next = rest.popFirst(), next == character || next.lowercased() == character.lowercased()
                else { return nil }
                result.append(character)
            }
        }
        if let last = result.last, last.isPartOfWord, rest.first?.isPartOfWord == true { return nil }
        return (result, rest.startIndex)
    }

    private static let longestNumber = 6

    /// As ``match(_:_:)``, of a sentence; nil if the text goes on there with words that are not the sentence's.
    ///
    /// - Parameter marks: what may come after a sentence.
    static func matchWhole(_ sentence: String, _ text: Substring, before marks: String = ".:;,!")
        -> (text: String, end: String.Index)?
    {
        guard let found = match(sentence, text) else { return nil }
        let rest = text[found.end...]
        guard let next = rest.first, found.text.last?.isPartOfWord == true else { return found }
        return marks.contains(next) || next.isNewline || rest.allSatisfy(\.isWhitespace) ? found : nil
    }

    /// `body.children[0].text` or `query.limit`, a place in a request.
    static func place(beginning text: Substring) -> Substring? {
        let place = text.prefix(longestPlace).prefix { $0.isPartOfWord || ".[]".contains($0) }
        let root = place.prefix(while: \.isPartOfWord)
        guard ["body", "query", "path"].contains(root.lowercased()) else { return nil }
        return place
    }

    private static let longestPlace = 400
}

extension Character {
    var isPartOfWord: Bool { isLetter || isNumber || self == "_" }
}
