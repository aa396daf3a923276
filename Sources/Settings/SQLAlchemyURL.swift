/// A database URL of SQLAlchemy, as the gateway and the replaced service are set up with: `postgresql+DRIVER://…`.
///
/// Source: SQLAlchemy documentation, "Database URLs"; PostgreSQL documentation, "Connection URIs".
struct SQLAlchemyURL {
    /// The same address as libpq takes it.
    let libpq: String

    /// Parameters that SQLAlchemy itself reads and does not pass on.
    private static let ownParameters = [
        "prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback",
    ]

    /// Reads a URL whose scheme names a driver; nil for any other text.
    init?(_ text: String) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound].split(separator: "+", omittingEmptySubsequences: false)
        guard scheme.count == 2, ["postgresql", "postgres"].contains(scheme[0]),
            !scheme[1].isEmpty, scheme[1].utf8.allSatisfy({ Self.isWord($0) })
        else { return nil }
        let (user, rest) = Self.splitUser(text[separator.upperBound...])
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let parameters = parts.count == 2 ? Self.parameters(parts[1]) : []
        let query = parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&")
        libpq = "postgresql://\(user.map { $0 + "@" } ?? "")\(parts[0])\(query)"
    }

    /// User and password, which end at the first `@` and may hold any other character; libpq wants most of them encoded.
    private static func splitUser(_ text: Substring) -> (String?, Substring) {
        guard let end = text.firstIndex(of: "@") else { return (nil, text) }
        let parts = text[..<end].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        // A slash before the colon ends the host: there is no user, and the sign stands in a parameter.
        guard !parts[0].contains("/") else { return (nil, text) }
        return (parts.map(encoded).joined(separator: ":"), text[text.index(after: end)...])
    }

    /// Percent-encodes what is neither unreserved nor encoded already.
    private static func encoded(_ text: Substring) -> String {
        let bytes = Array(text.utf8)
        var result = ""
        for (index, byte) in bytes.enumerated() {
            let isEscape =
                byte == UInt8(ascii: "%") && index + 2 < bytes.count
                && bytes[index + 1...index + 2].allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
            if isEscape || isWord(byte) || "-.~".utf8.contains(byte) {
                result.append(Character(Unicode.Scalar(byte)))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return result
    }

    /// The parameters that libpq is to see. asyncpg's `ssl` has the values of libpq's `sslmode`.
    private static func parameters(_ query: Substring) -> [String] {
        query.split(separator: "&").compactMap { parameter in
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if ownParameters.contains(String(parts[0])) { return nil }
            guard parts.count == 2, parts[0] == "ssl" else { return String(parameter) }
            return "sslmode=" + (parts[1].lowercased() == "true" ? "require" : parts[1])
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        Character(Unicode.Scalar(byte)).isASCII
            && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber
                || byte == UInt8(ascii: "_"))
    }
}
