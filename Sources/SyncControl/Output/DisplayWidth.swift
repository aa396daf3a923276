import Telemetry

// How many columns of a terminal a text takes. Roughly: what a terminal makes of rare scripts and of joined emoji
// differs from one to the next.

extension Character {
    /// Columns: 2 for East Asian wide characters and emoji, 0 for what has no shape of its own, else 1.
    var displayWidth: Int {
        guard let first = unicodeScalars.first else { return 0 }
        let properties = first.properties
        if properties.isEmojiPresentation || unicodeScalars.contains("\u{FE0F}") { return 2 }
        if Self.wideRanges.contains(where: { $0.contains(first.value) }) { return 2 }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: return 1
        }
    }

    /// Source: Unicode, EastAsianWidth.txt, the ranges of W and F without their gaps.
    private static let wideRanges: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF,
        0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
    ]
}

extension String {
    /// Columns the text takes on a terminal.
    var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }

    /// The text cut to at most so many columns, the last one being `…` if something was cut off.
    func truncated(toWidth width: Int) -> String {
        guard displayWidth > width else { return self }
        guard width > 0 else { return "" }
        var result = ""
        var used = 0
        for character in self {
            used += character.displayWidth
            guard used < width else { break }
            result.append(character)
        }
        return result + "…"
    }

    func blanks(toWidth width: Int) -> String {
        String(repeating: " ", count: max(0, width - displayWidth))
    }

    /// The text as one line without control characters and secrets: what comes from the database may hold anything.
    var singleLine: String { Redactor.processWide.sanitize(self, limit: 10_000) }
}
