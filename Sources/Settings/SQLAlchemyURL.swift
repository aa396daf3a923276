/// A database URL of SQLAlchemy, as the gateway and the replaced service are set up with: `postgresql+DRIVER://…`.
///
/// Source: SQLAlchemy documentation, "Database URLs"; PostgreSQL documentation, "Connection URIs".
struct SQLAlchemyURL {
    /// The same address as libpq takes it.
    let libpq: String

    /// Parameters of SQLAlchemy and its drivers that libpq does not know and that do not say where the database is.
    private static let driverParameters: Set = [
        "prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback", "async_creator_fn",
        "statement_cache_size", "max_cached_statement_lifetime", "max_cacheable_statement_size", "command_timeout",
        "timeout", "direct_tls", "prepare_threshold",
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

    /// User and password as SQLAlchemy splits them: a password ends at the first `@` behind the colon, a user without
    /// one at the last `@` before the path. Both may hold any other character; libpq wants most of them encoded.
    private static func splitUser(_ text: Substring) -> (String?, Substring) {
        let head = text.prefix { $0 != ":" && $0 != "/" }
        let rest = text[head.endIndex...]
        if rest.first == ":", let end = rest.firstIndex(of: "@") {
            let password = rest[..<end].dropFirst()
            return ("\(encoded(head)):\(encoded(password))", rest[rest.index(after: end)...])
        }
        guard let end = head.lastIndex(of: "@") else { return (nil, text) }
        return (encoded(head[..<end]), text[head.index(after: end)...])
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

    /// The parameters that libpq is to see. asyncpg's `ssl` has the values of libpq's `sslmode`, a `+` is a blank, and
    /// several hosts may be given one by one, each with its port.
    private static func parameters(_ query: Substring) -> [String] {
        var hosts: [Substring] = []
        var others: [String] = []
        for parameter in query.split(separator: "&") {
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !driverParameters.contains(String(parts[0])) else { continue }
            switch parts[0] {
            case "host": hosts += parts[1].split(separator: ",")
            case "ssl": others.append("sslmode=" + (parts[1].lowercased() == "true" ? "require" : parts[1]))
            default: others.append("\(parts[0])=" + parts[1].replacing("+", with: "%20"))
            }
        }
        return address(of: hosts) + others
    }

    /// `host` and `port` as libpq takes them: each a list in the same order.
    private static func address(of hosts: [Substring]) -> [String] {
        guard !hosts.isEmpty else { return [] }
        let split = hosts.map { host -> (name: Substring, port: Substring) in
            // A folder of sockets, or an IPv6 address, has no port behind a colon.
            guard host.first != "/", let colon = host.lastIndex(of: ":"), host.firstIndex(of: ":") == colon else {
                return (host, "")
            }
            return (host[..<colon], host[host.index(after: colon)...])
        }
        let names = "host=" + split.map(\.name).joined(separator: ",")
        guard split.contains(where: { !$0.port.isEmpty }) else { return [names] }
        return [names, "port=" + split.map(\.port).joined(separator: ",")]
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        Character(Unicode.Scalar(byte)).isASCII
            && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber
                || byte == UInt8(ascii: "_"))
    }
}
