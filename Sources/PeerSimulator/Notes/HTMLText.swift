/// HTML as the text that a reader of the page sees: a line for each block, a mark before each item of a list, the
/// address behind each link that does not show it.
struct HTMLText {
    private var lines: [String] = []
    private var line = ""
    /// What comes before the first text of a list's item.
    private var marker = ""
    /// The open lists from without; nil: without numbers.
    private var lists: [Int?] = []
    private var link: (address: String, shown: String)?
    /// The open elements, and whether spaces and line ends count in them.
    private var open: [(name: String, keepsSpaces: Bool)] = []
    private let keepsSpacesWithout: Bool

    static func text(_ html: String) -> String {
        var reader = HTMLText(keepsSpacesWithout: !html.contains("<"))
        var scanner = HTMLScanner(html)
        while let part = scanner.next() {
            switch part {
            case .text(let text): reader.append(text)
            case .start(let tag): reader.start(tag)
            case .end(let name): reader.end(name)
            }
        }
        reader.closeLink()
        reader.breakLine()
        while reader.lines.last?.isEmpty == true { reader.lines.removeLast() }
        return reader.lines.joined(separator: "\n")
    }

    private init(keepsSpacesWithout: Bool) { self.keepsSpacesWithout = keepsSpacesWithout }

    private var keepsSpaces: Bool { open.last?.keepsSpaces ?? keepsSpacesWithout }

    private mutating func append(_ text: String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where keepsSpaces: newLine()
            case "\r" where keepsSpaces: continue
            case " ", "\t", "\n", "\r", "\u{C}":
                if keepsSpaces {
                    show(Character(scalar))
                } else if !line.isEmpty, line.unicodeScalars.last != " " {
                    show(" ")
                }
            default: show(Character(scalar))
            }
        }
    }

    private mutating func show(_ character: Character) {
        if line.isEmpty {
            line = marker
            marker = ""
        }
        line.append(character)
        link?.shown.append(character)
    }

    /// Ends the line that is begun, if there is one.
    private mutating func breakLine() {
        if !line.isEmpty { newLine() }
    }

    private mutating func newLine() {
        while !keepsSpaces, line.unicodeScalars.last == " " { line.unicodeScalars.removeLast() }
        lines.append(line)
        line = ""
    }

    private mutating func start(_ tag: HTMLScanner.Tag) {
        if HTMLScanner.blocks.contains(tag.name) { breakLine() }
        switch tag.name {
        case "br": newLine()
        case "ul": lists.append(nil)
        case "ol": lists.append(tag.attributes["start"].flatMap { Int($0) } ?? 1)
        case "li": startItem()
        case "td", "th": if !line.isEmpty { show("\t") }
        case "img": append(tag.attributes["alt"] ?? "")
        case "input" where tag.attributes["type"]?.lowercased() == "checkbox":
            append(tag.attributes["checked"] == nil ? "☐ " : "☑ ")
        case "a":
            closeLink()
            link = tag.attributes["href"].map { ($0, "") }
        default: break
        }
        // An end is looked for among these: the depth bounds what that costs.
        guard !HTMLScanner.empty.contains(tag.name), open.count < 200 else { return }
        let style = tag.attributes["style"]?.lowercased().filter { !$0.isWhitespace } ?? ""
        let isPreformatted = tag.name == "pre" || style.contains("white-space:pre")
        open.append((tag.name, keepsSpaces || isPreformatted))
    }

    private mutating func end(_ name: String) {
        if name == "a" { closeLink() }
        if HTMLScanner.blocks.contains(name) { breakLine() }
        if name == "ul" || name == "ol" { _ = lists.popLast() }
        if name == "li" { marker = "" }
        if let index = open.lastIndex(where: { $0.name == name }) { open.removeSubrange(index...) }
    }

    private mutating func startItem() {
        marker = String(repeating: "  ", count: min(20, max(0, lists.count - 1)))
        if let number = lists.last ?? nil {
            marker += "\(number). "
            lists[lists.count - 1] = number &+ 1
        } else {
            marker += "• "
        }
    }

    private mutating func closeLink() {
        guard let (address, shown) = link else { return }
        link = nil
        let name = shown.trimmingSpaces
        let target = address.trimmingSpaces
        guard !target.isEmpty, !target.hasPrefix("#"), name != target, "mailto:" + name != target else { return }
        let text = name.isEmpty ? target : " (\(target))"
        if !name.isEmpty {
            while line.unicodeScalars.last == " " { line.unicodeScalars.removeLast() }
        }
        for character in text { show(character) }
        if !name.isEmpty, shown.unicodeScalars.last == " " { show(" ") }
    }
}

extension String {
    var trimmingSpaces: String {
        let start = drop(while: \.isWhitespace)
        return String(start.reversed().drop(while: \.isWhitespace).reversed())
    }
}
