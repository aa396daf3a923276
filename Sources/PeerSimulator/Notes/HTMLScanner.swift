/// The texts and tags of HTML, in their order. What looks like a tag and is none of HTML's counts as text: tools that
/// escape nothing write `<name>` and `a < b`.
struct HTMLScanner {
    struct Tag {
        var name: String
        /// By their names in small letters; without a value: empty.
        var attributes: [String: String] = [:]
    }

    enum Part {
        case text(String)
        case start(Tag)
        case end(String)
    }

    static let blocks: Set<String> = [
        "address", "article", "aside", "blockquote", "body", "dd", "details", "div", "dl", "dt", "fieldset",
        "figcaption",
        "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav",
        "ol",
        "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
    ]
    /// Elements without an end.
    static let empty: Set<String> = ["br", "hr", "img", "input", "link", "meta", "wbr", "col", "source"]
    private static let inline: Set<String> = [
        "a", "abbr", "b", "bdi", "bdo", "big", "button", "caption", "center", "cite", "code", "colgroup", "data", "del",
        "dfn", "em", "font", "i", "ins", "kbd", "label", "mark", "picture", "q", "rp", "rt", "ruby", "s", "samp",
        "small",
        "span", "strike", "strong", "sub", "sup", "svg", "td", "th", "time", "tt", "u", "var", "video", "audio",
    ]
    private static let unseen: Set<String> = ["head", "script", "style", "template", "title"]

    private let scalars: [Unicode.Scalar]
    private var position = 0

    init(_ html: String) { scalars = Array(html.unicodeScalars) }

    mutating func next() -> Part? {
        let start = position
        while position < scalars.count {
            guard scalars[position] == "<", let (part, end) = markup(at: position) else {
                position += 1
                continue
            }
            if position > start { return .text(text(start..<position)) }
            position = end
            if case .start(let tag) = part, Self.unseen.contains(tag.name) { skip(past: tag.name) }
            return part ?? .text("")
        }
        return position > start ? .text(text(start..<position)) : nil
    }

    /// What begins at a `<`, and where it ends; a comment is a part that is nil.
    private func markup(at start: Int) -> (Part?, end: Int)? {
        if matches("<!--", at: start) {
            let end = find("-->", from: start + 4)
            return end.map { (nil, $0 + 3) }
        }
        var index = start + 1
        guard index < scalars.count else { return nil }
        if scalars[index] == "!" || scalars[index] == "?" { return find(">", from: index).map { (nil, $0 + 1) } }
        let isEnd = scalars[index] == "/"
        if isEnd { index += 1 }
        let nameStart = index
        while index < scalars.count, isName(scalars[index]) { index += 1 }
        let name = string(nameStart..<index).lowercased()
        let isTag =
            Self.blocks.contains(name) || Self.inline.contains(name) || Self.empty.contains(name)
            || Self.unseen.contains(name) || (name.contains { "-:".contains($0) } && name.first?.isLetter == true)
        guard isTag, index < scalars.count, scalars[index] == ">" || scalars[index] == "/" || isSpace(scalars[index]),
            let (attributes, end) = attributes(from: index)
        else { return nil }
        return (isEnd ? .end(name) : .start(Tag(name: name, attributes: attributes)), end)
    }

    private func attributes(from start: Int) -> ([String: String], end: Int)? {
        var attributes: [String: String] = [:]
        var index = start
        while index < scalars.count, scalars[index] != ">" {
            let nameStart = index
            while index < scalars.count, !isSpace(scalars[index]), !"=>/".unicodeScalars.contains(scalars[index]) {
                index += 1
            }
            let name = string(nameStart..<index).lowercased()
            var value = ""
            var after = index
            while after < scalars.count, isSpace(scalars[after]) { after += 1 }
            if after < scalars.count, scalars[after] == "=" {
                guard let (found, end) = attributeValue(from: after + 1) else { return nil }
                (value, index) = (found, end)
            }
            if !name.isEmpty, attributes[name] == nil { attributes[name] = value }
            if index == nameStart { index += 1 }
        }
        return index < scalars.count ? (attributes, index + 1) : nil
    }

    private func attributeValue(from start: Int) -> (String, end: Int)? {
        var index = start
        while index < scalars.count, isSpace(scalars[index]) { index += 1 }
        guard index < scalars.count else { return nil }
        if scalars[index] == "\"" || scalars[index] == "'" {
            guard let end = scalars[(index + 1)...].firstIndex(of: scalars[index]) else { return nil }
            return (text(index + 1..<end), end + 1)
        }
        let valueStart = index
        while index < scalars.count, !isSpace(scalars[index]), scalars[index] != ">" { index += 1 }
        return (text(valueStart..<index), index)
    }

    private mutating func skip(past name: String) {
        var index = position
        while let end = find("</", from: index) {
            let nameEnd = min(end + 2 + name.unicodeScalars.count, scalars.count)
            if string(end + 2..<nameEnd).lowercased() == name {
                position = end
                return
            }
            index = end + 2
        }
    }

    private func text(_ range: Range<Int>) -> String { HTMLEntities.decoded(scalars[range]) }

    private func string(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[range])
        return String(view)
    }

    private func matches(_ text: String, at start: Int) -> Bool {
        scalars[start...].starts(with: text.unicodeScalars)
    }

    private func find(_ text: String, from start: Int) -> Int? {
        guard start < scalars.count else { return nil }
        return (start..<scalars.count).first { matches(text, at: $0) }
    }

    private func isName(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII
            && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "-" || scalar == ":")
    }

    private func isSpace(_ scalar: Unicode.Scalar) -> Bool { " \t\n\r\u{C}".unicodeScalars.contains(scalar) }
}
