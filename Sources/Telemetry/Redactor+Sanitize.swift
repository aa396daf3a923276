internal import Support

extension Redactor {
    /// `text` fit for a database column or a line of a report: without control characters (line ends and tabs become
    /// blanks), with bidirectional ones made visible, without secrets, and at most `limit` characters long, the last
    /// one being `…` if something was cut off. Four times as many Unicode scalars at most, as one character, a letter
    /// under a heap of accents, can be a text of any length.
    ///
    /// PostgreSQL refuses NUL in a text; what peers answer may hold anything. Secrets are replaced before the text is
    /// cut, so that no cut secret slips through.
    public func sanitize(_ text: String, limit: Int) -> String {
        let clean = redact(Self.withoutControls(text)).withVisibleControls
        guard limit > 0 else { return "" }
        var end = clean.index(clean.startIndex, offsetBy: limit, limitedBy: clean.endIndex) ?? clean.endIndex
        if end != clean.endIndex { end = clean.index(before: end) }
        let scalars = clean[..<end].unicodeScalars.prefix(4 * limit - 1)
        return scalars.endIndex == clean.endIndex ? clean : "\(String(scalars))…"
    }

    private static func withoutControls(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var previousIsCarriageReturn = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where previousIsCarriageReturn: break
            case "\n", "\r", "\t", "\u{B}", "\u{C}", "\u{85}", "\u{2028}", "\u{2029}": result.append(" ")
            case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}": break
            default: result.append(scalar)
            }
            previousIsCarriageReturn = scalar == "\r"
        }
        return String(result)
    }
}
