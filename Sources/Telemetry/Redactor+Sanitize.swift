extension Redactor {
    /// `text` fit for a database column or a line of a report: without control characters (line ends and tabs become
    /// blanks), without secrets, and at most `limit` characters long, the last one being `…` if something was cut off.
    ///
    /// PostgreSQL refuses NUL in a text; what peers answer may hold anything. Secrets are replaced before the text is
    /// cut, so that no cut secret slips through.
    public func sanitize(_ text: String, limit: Int) -> String {
        let clean = redact(Self.withoutControls(text))
        guard let end = clean.index(clean.startIndex, offsetBy: max(limit, 0), limitedBy: clean.endIndex),
            end != clean.endIndex
        else { return clean }
        return limit > 0 ? "\(clean.prefix(limit - 1))…" : ""
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
