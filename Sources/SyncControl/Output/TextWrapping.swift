// How texts are wrapped: between words, and with the commands in them whole, since these are pasted.

extension String {
    /// The text in lines of at most so many columns, one at least.
    ///
    /// - Parameters:
    ///   - width: nil for no bound. A word that is longer makes a longer line.
    ///   - hanging: what stands before every line but the first.
    func wrapped(toWidth width: Int?, hanging: String = "") -> [String] {
        guard let width, displayWidth > width else { return [self] }
        var lines: [String] = []
        var line = ""
        for part in parts(keepingCommandsTo: width - hanging.displayWidth) {
            if line.isEmpty {
                line = part
            } else if line.displayWidth + 1 + part.displayWidth <= width {
                line += " " + part
            } else {
                lines.append(line)
                line = hanging + part
            }
        }
        return lines + [line]
    }

    /// The parts between which it may be wrapped.
    var unbrokenParts: [String] { parts(keepingCommandsTo: 0) }

    /// The words, and each command of this program as one part, unless it is longer than `limit` columns.
    private func parts(keepingCommandsTo limit: Int) -> [String] {
        let words = split(separator: " ").map(String.init)
        var parts: [String] = []
        var place = 0
        while place < words.count {
            let length = Self.commandLength(words[place...], limit)
            parts.append(words[place..<(place + length)].joined(separator: " "))
            place += length
        }
        return parts
    }

    /// How many words the command at the beginning has, up to the end of its clause; 1 where there is none.
    private static func commandLength(_ words: ArraySlice<String>, _ limit: Int) -> Int {
        guard words.first == "syncctl" || words.first == "(syncctl" else { return 1 }
        let isEnd = { (word: String) in word.last.map { ".,;:)".contains($0) } ?? false }
        let isBeyond = { (word: String) in word == "—" || word.hasPrefix("(") }
        var length = 1
        for word in words.dropFirst() {
            if isBeyond(word) { break }
            length += 1
            if isEnd(word) { break }
        }
        return words.prefix(length).joined(separator: " ").displayWidth <= limit ? length : 1
    }
}
