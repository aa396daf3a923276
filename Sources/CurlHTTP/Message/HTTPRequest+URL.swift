extension HTTPRequest {
    /// A URL of a base, a path below it and a query, percent-encoded (RFC 3986): all but unreserved characters are,
    /// so a `+` in a value arrives as a `+`.
    ///
    /// - Parameters:
    ///   - base: `http` or `https` URL; may have a path and a trailing slash, but no query and no fragment.
    ///   - path: Path below the base, not yet encoded; `/` separates segments.
    ///   - query: Names and values, not yet encoded.
    /// - Throws: ``CurlHTTPError`` with ``CurlHTTPError/Code/invalidRequest``.
    public static func url(base: String, path: String, query: [(String, String)] = []) throws(CurlHTTPError) -> String {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).drop { $0.isEmpty }
        return try url(base: base, path: segments.map(String.init), query: query)
    }

    /// As ``url(base:path:query:)-(_,String,_)``, with the path as segments: a `/` in one is encoded too, so that an
    /// identifier from outside stays one segment.
    public static func url(
        base: String,
        path: [String],
        query: [(String, String)] = []
    ) throws(CurlHTTPError) -> String {
        guard !base.contains("?"), !base.contains("#") else {
            throw CurlHTTPError(
                .invalidRequest,
                "The base URL \(RequestTarget.redact(base)) has a query or a fragment; give scheme, host and path only."
            )
        }
        _ = try RequestTarget(url: base)
        // A dot segment would be resolved away and the request go to another resource.
        guard !path.contains(where: { $0 == "." || $0 == ".." }) else {
            throw CurlHTTPError(.invalidRequest, "A path segment is \".\" or \"..\", which names another resource.")
        }
        var result = base
        while result.hasSuffix("/") { result.removeLast() }
        for segment in path { result += "/" + percentEncoded(segment) }
        for (index, pair) in query.enumerated() {
            result += (index == 0 ? "?" : "&") + percentEncoded(pair.0) + "=" + percentEncoded(pair.1)
        }
        return result
    }

    /// Text with every byte outside RFC 3986's unreserved set percent-encoded.
    public static func percentEncoded(_ text: String) -> String {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if byte.isUnreserved {
                encoded.append(byte)
            } else {
                encoded.append(UInt8(ascii: "%"))
                encoded.append(hexadecimalDigits[Int(byte >> 4)])
                encoded.append(hexadecimalDigits[Int(byte & 0x0F)])
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    private static let hexadecimalDigits = Array("0123456789ABCDEF".utf8)
}

extension UInt8 {
    fileprivate var isUnreserved: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default:
            false
        }
    }
}
