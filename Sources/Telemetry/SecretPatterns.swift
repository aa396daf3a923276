/// Secrets told by their form.
///
/// | form | replaced |
/// |---|---|
/// | `scheme://user:password@` | the password (of a web address without a colon: all before the `@`) |
/// | `password=…`, `"api_token": "…"` and the like | the value |
/// | Notion tokens `secret_…`, `ntn_…` | all |
/// | Google tokens `aas_et/…`, `ya29.…`, `oauth2_4/…` | all |
/// | `Bearer …`, `Basic …` | what follows |
/// | Fernet tokens `gAAAAA…`, also in base64 once more | all |
/// | Fernet keys: 43 characters of base64, of either alphabet, and `=` | all |
/// | Slack and Discord webhooks | the path |
enum SecretPatterns {
    /// Where in `bytes` (UTF-8) there are secrets; unordered, may overlap.
    static func ranges(in bytes: [UInt8]) -> [Range<Int>] {
        let scanner = Scanner(bytes: bytes)
        var found: [Range<Int>] = []
        for index in bytes.indices.dropLast() where beginnings[bytes[index], bytes[index + 1]] {
            if bytes[index] == UInt8(ascii: ":"), let range = scanner.credentials(ofURLAt: index) {
                found.append(range)
            }
            for pattern in prefixes[Int(bytes[index].asciiLowercased)] {
                if let range = scanner.match(pattern, at: index) { found.append(range) }
            }
        }
        return found + fernetKeys(in: bytes) { $0.isBase64URL }
            + fernetKeys(in: bytes) { $0.isASCIIAlphanumeric || "+/".utf8.contains($0) }
    }

    /// Pairs of bytes with which a secret may begin: nearly every place of nearly every text is passed over for one
    /// look.
    private struct Beginnings {
        /// By the first byte in lower case, a bit for each second one; several bytes share a bit.
        private var seconds = [UInt32](repeating: 0, count: 256)

        init(_ texts: [[UInt8]]) {
            for text in texts { seconds[Int(text[0].asciiLowercased)] |= Self.bit(text[1]) }
        }

        subscript(first: UInt8, second: UInt8) -> Bool {
            seconds[Int(first.asciiLowercased)] & Self.bit(second) != 0
        }

        private static func bit(_ byte: UInt8) -> UInt32 { 1 << UInt32(byte.asciiLowercased & 31) }
    }

    private static let beginnings = Beginnings(allPrefixes.map(\.text) + [Array("://".utf8)])

    /// A secret that begins with a fixed text.
    struct Prefix: Sendable {
        /// What follows the prefix.
        enum Tail: Sendable { case token, header, webhook, assignment }

        let text: [UInt8]
        let tail: Tail
        /// The shortest tail, in bytes, that makes it a secret.
        let minimum: Int
        /// Whether the prefix itself is part of what is replaced.
        let includesPrefix: Bool

        init(_ text: String, _ tail: Tail, minimum: Int, includesPrefix: Bool = false) {
            self.text = Array(text.utf8)
            self.tail = tail
            self.minimum = minimum
            self.includesPrefix = includesPrefix
        }
    }

    /// The prefixes by their first byte (lower case).
    private static let prefixes: [[Prefix]] = (0...255).map { byte in
        allPrefixes.filter { $0.text[0].asciiLowercased == UInt8(byte) }
    }

    private static let allPrefixes: [Prefix] = {
        let assigned = [
            "password", "passwd", "passphrase", "api_token", "api_key", "apikey", "master_token", "oauth_token",
            "access_token", "refresh_token", "client_secret", "encryption_key", "authorization",
        ]
        return
            assigned.map { Prefix($0, .assignment, minimum: 1) } + [
                Prefix("secret_", .token, minimum: 8, includesPrefix: true),
                Prefix("ntn_", .token, minimum: 8, includesPrefix: true),
                Prefix("aas_et/", .token, minimum: 4, includesPrefix: true),
                Prefix("oauth2_4/", .token, minimum: 4, includesPrefix: true),
                Prefix("ya29.", .token, minimum: 4, includesPrefix: true),
                Prefix("gAAAAA", .token, minimum: 20, includesPrefix: true),
                Prefix("Z0FBQUFB", .token, minimum: 20, includesPrefix: true),
                Prefix("bearer ", .header, minimum: 8),
                Prefix("basic ", .header, minimum: 8),
                Prefix("hooks.slack.com/", .webhook, minimum: 1),
                Prefix("/api/webhooks/", .webhook, minimum: 1),
            ]
    }()

    /// Runs of exactly 43 characters of an alphabet before one `=` (or `%3D`): 32 bytes, a Fernet key.
    private static func fernetKeys(in bytes: [UInt8], of belongs: (UInt8) -> Bool) -> [Range<Int>] {
        guard bytes.count > 43 else { return [] }
        var found: [Range<Int>] = []
        var start = 0
        while start < bytes.count {
            guard belongs(bytes[start]) else {
                start += 1
                continue
            }
            var end = start
            while end < bytes.count, belongs(bytes[end]) { end += 1 }
            // In `\nKEY=` of an escaped text the `n` belongs to the escape.
            let isEscaped = start > 0 && bytes[start - 1] == UInt8(ascii: "\\") && end - start == 44
            let key = (isEscaped ? start + 1 : start)..<end
            if key.count == 43, let padding = paddingLength(in: bytes, at: end) {
                found.append(key.lowerBound..<(end + padding))
            }
            start = end
        }
        return found
    }

    private static func paddingLength(in bytes: [UInt8], at end: Int) -> Int? {
        let rest = bytes[end...].prefix(4)
        if rest.prefix(3).map(\.asciiLowercased) == Array("%3d".utf8) { return 3 }
        guard rest.first == UInt8(ascii: "=") else { return nil }
        return rest.dropFirst().first == UInt8(ascii: "=") ? nil : 1
    }
}
