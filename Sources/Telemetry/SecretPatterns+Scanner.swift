extension SecretPatterns {
    /// The matching of one pattern at one place of a text.
    struct Scanner {
        let bytes: [UInt8]

        /// What `pattern` finds at `start`, if it matches there.
        func match(_ pattern: Prefix, at start: Int) -> Range<Int>? {
            let afterPrefix = start + pattern.text.count
            guard hasPrefix(pattern.text, at: start) else { return nil }
            switch pattern.tail {
            case .assignment: return assignedValue(after: afterPrefix)
            case .token:
                return tail(of: pattern, from: start, afterPrefix) { $0.isBase64URL || "/+=.%".utf8.contains($0) }
            case .header, .webhook: return tail(of: pattern, from: start, afterPrefix) { !ends($0) }
            }
        }

        private func tail(
            of pattern: Prefix,
            from start: Int,
            _ afterPrefix: Int,
            while belongs: (UInt8) -> Bool
        ) -> Range<Int>? {
            let end = bytes[afterPrefix...].firstIndex { !belongs($0) } ?? bytes.count
            guard end - afterPrefix >= pattern.minimum else { return nil }
            return (pattern.includesPrefix ? start : afterPrefix)..<end
        }

        private func hasPrefix(_ text: [UInt8], at start: Int) -> Bool {
            guard bytes.count - start >= text.count else { return false }
            for offset in text.indices where bytes[start + offset].asciiLowercased != text[offset].asciiLowercased {
                return false
            }
            return true
        }

        /// Whether `byte` cannot belong to an unquoted value.
        private func ends(_ byte: UInt8) -> Bool {
            byte.isASCIISpaceOrControl || "\"'<>&,;)}]\\".utf8.contains(byte)
        }

        /// The value in `key = value`, `key: value`, `"key": "value"` and `\"key\":\"value\"`, with `key` ending at
        /// `index`. A key may go on after the known word (`encryption_key_file=`) only up to its `=`.
        private func assignedValue(after index: Int) -> Range<Int>? {
            var position = skip(from: index) { $0 == UInt8(ascii: "\\") || "\"'".utf8.contains($0) }
            position = skipBlanks(from: position)
            guard position < bytes.count, "=:".utf8.contains(bytes[position]) else { return nil }
            position = skipBlanks(from: position + 1)
            if position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "\"")
            {
                return value(from: position + 2, to: UInt8(ascii: "\""), escape: nil, trimmingEscape: true)
            }
            guard position < bytes.count else { return nil }
            let quote = bytes[position]
            if "\"'".utf8.contains(quote) {
                return value(from: position + 1, to: quote, escape: UInt8(ascii: "\\"), trimmingEscape: false)
            }
            return bareValue(from: position)
        }

        /// A quoted value up to its closing quote, or to the end of the text when there is none.
        private func value(from start: Int, to quote: UInt8, escape: UInt8?, trimmingEscape: Bool) -> Range<Int>? {
            var end = start
            while end < bytes.count, bytes[end] != quote {
                end += bytes[end] == escape ? 2 : 1
            }
            end = min(end, bytes.count)
            if trimmingEscape, end > start, bytes[end - 1] == UInt8(ascii: "\\") { end -= 1 }
            return start < end ? start..<end : nil
        }

        /// An unquoted value; in libpq's conninfo a backslash takes the next character along. `Bearer x` and `Basic x`
        /// are one value.
        private func bareValue(from start: Int) -> Range<Int>? {
            var from = start
            for scheme in ["bearer ", "basic "] where hasPrefix(Array(scheme.utf8), at: start) {
                from = start + scheme.utf8.count
            }
            var end = from
            while end < bytes.count {
                if bytes[end] == UInt8(ascii: "\\") {
                    end += 2
                } else if bytes[end].isASCIISpaceOrControl || "\"'&".utf8.contains(bytes[end]) {
                    break
                } else {
                    end += 1
                }
            }
            end = min(end, bytes.count)
            return from < end ? from..<end : nil
        }

        /// The password in the user part of the URL whose `://` begins at `colon`.
        func credentials(ofURLAt colon: Int) -> Range<Int>? {
            guard hasPrefix(Array("://".utf8), at: colon) else { return nil }
            let start = colon + 3
            // A password of a database address often holds an unencoded `/`, `?` or `#` by mistake, and then the whole
            // address turns up in the error about it.
            let isDatabase = scheme(before: colon).map { "postgres".utf8.elementsEqual($0.prefix(8)) } ?? false
            let end =
                bytes[start...].firstIndex {
                    $0.isASCIISpaceOrControl || "\"'<>".utf8.contains($0) || (!isDatabase && "/?#".utf8.contains($0))
                } ?? bytes.count
            guard let at = bytes[start..<end].lastIndex(of: UInt8(ascii: "@")) else { return nil }
            guard let separator = bytes[start..<at].firstIndex(of: UInt8(ascii: ":")) else {
                return isDatabase ? nil : start..<at
            }
            return separator + 1 < at ? (separator + 1)..<at : nil
        }

        private func scheme(before colon: Int) -> [UInt8]? {
            let start = bytes[..<colon].lastIndex { !($0.isASCIIAlphanumeric || "+-.".utf8.contains($0)) }
            let scheme = bytes[((start ?? -1) + 1)..<colon]
            return scheme.isEmpty ? nil : scheme.map(\.asciiLowercased)
        }

        private func skipBlanks(from index: Int) -> Int {
            skip(from: index) { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        }

        private func skip(from index: Int, while matches: (UInt8) -> Bool) -> Int {
            bytes[index...].firstIndex { !matches($0) } ?? bytes.count
        }
    }
}
