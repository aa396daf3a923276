import CCurl

/// Where a request goes: the origin that its connection belongs to, and a form of the URL fit for logs.
struct RequestTarget: Sendable {
    /// Scheme, host and port.
    let origin: String
    /// The URL without user, password and query values.
    let redacted: String

    /// - Throws: ``CurlHTTPError`` with ``CurlHTTPError/Code/invalidRequest``.
    init(url: String) throws(CurlHTTPError) {
        guard let handle = curl_url() else {
            throw CurlHTTPError(.internalFailure, "Out of memory while reading a URL.")
        }
        defer { curl_url_cleanup(handle) }
        let code = url.utf8.contains(0) ? CURLUE_MALFORMED_INPUT : curl_url_set(handle, CURLUPART_URL, url, 0)
        guard code == CURLUE_OK else {
            throw Self.invalid(url, String(cString: curl_url_strerror(code)))
        }
        guard let scheme = Self.part(CURLUPART_SCHEME, of: handle), scheme == "http" || scheme == "https" else {
            throw Self.invalid(url, "the scheme is not http or https")
        }
        guard let host = Self.part(CURLUPART_HOST, of: handle), !host.isEmpty else {
            throw Self.invalid(url, "there is no host")
        }
        let port = Self.part(CURLUPART_PORT, of: handle, flags: UInt32(CURLU_DEFAULT_PORT)) ?? ""
        origin = "\(scheme)://\(host.lowercased()):\(port)"
        let path = Self.part(CURLUPART_PATH, of: handle) ?? "/"
        let query = Self.part(CURLUPART_QUERY, of: handle).map { "?" + Self.namesOnly($0) } ?? ""
        redacted = origin + path + query
    }

    private static func part(_ part: CURLUPart, of handle: OpaquePointer, flags: UInt32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, part, &text, flags) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }

    private static func namesOnly(_ query: String) -> String {
        query.split(separator: "&").map { pair in
            pair.contains("=") ? "\(pair.prefix { $0 != "=" })=…" : "…"
        }.joined(separator: "&")
    }

    private static func invalid(_ url: String, _ reason: String) -> CurlHTTPError {
        CurlHTTPError(
            .invalidRequest,
            "The URL \"\(redact(url))\" cannot be used: \(reason). Give one like http://host:port/path.",
            reason: "the URL cannot be used: \(reason)"
        )
    }

    /// A URL that could not be read, cut before anything that may be secret.
    static func redact(_ url: String) -> String {
        let text = String(url.prefix { $0 != "?" && $0 != "#" }.prefix(200))
        guard let at = text.lastIndex(of: "@") else { return text }
        let scheme = ["http://", "https://"].first(where: text.hasPrefix) ?? ""
        return scheme + "…" + text[at...]
    }
}
