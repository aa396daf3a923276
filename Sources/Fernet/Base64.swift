/// Base64 (RFC 4648) in both alphabets.
enum Base64 {
    enum Alphabet {
        case standard
        case urlSafe
    }

    /// Text with padding.
    static func encode(_ bytes: some Collection<UInt8>, alphabet: Alphabet) -> String {
        let symbols = alphabet == .standard ? standardSymbols : urlSafeSymbols
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group = 0
        var bits = 0
        for byte in bytes {
            group = group << 8 | Int(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(symbols[group >> bits & 0x3F])
            }
        }
        if bits > 0 { text.append(symbols[group << (6 - bits) & 0x3F]) }
        while text.count % 4 != 0 { text.append(padding) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Bytes of exactly what ``encode(_:alphabet:)`` writes; nil for anything else, spare bits that are set included,
    /// as a token or a key has one spelling only.
    static func decode(_ text: some StringProtocol, alphabet: Alphabet) -> [UInt8]? {
        let utf8 = Array(text.utf8)
        guard utf8.count % 4 == 0 else { return nil }
        let end = utf8.lastIndex { $0 != padding }.map { $0 + 1 } ?? 0
        guard utf8.count - end <= 2 else { return nil }
        let decoded = decode(symbols: utf8[..<end]) { symbol in
            value(of: symbol, isURLSafe: alphabet == .urlSafe)
        }
        guard let decoded, decoded.spareBits == 0 else { return nil }
        return decoded.bytes
    }

    /// Bytes of a text of either alphabet with white space anywhere and padding or none.
    static func decodeLeniently(_ text: some StringProtocol) -> [UInt8]? {
        var symbols = text.utf8.filter { !($0 == 0x20 || (0x09...0x0D).contains($0)) }
        while symbols.last == padding { symbols.removeLast() }
        return decode(symbols: symbols[...]) { symbol in
            value(of: symbol, isURLSafe: false) ?? value(of: symbol, isURLSafe: true)
        }?.bytes
    }

    private static func decode(
        symbols: ArraySlice<UInt8>,
        value: (UInt8) -> Int?
    ) -> (bytes: [UInt8], spareBits: Int)? {
        guard symbols.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(symbols.count * 3 / 4)
        var group = 0
        var bits = 0
        for symbol in symbols {
            guard let next = value(symbol) else { return nil }
            group = group << 6 | next
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(group >> bits))
                group &= 1 << bits - 1
            }
        }
        return (bytes, group)
    }

    private static func value(of symbol: UInt8, isURLSafe: Bool) -> Int? {
        switch symbol {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(symbol) - 0x41
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(symbol) - 0x61 + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(symbol) - 0x30 + 52
        case UInt8(ascii: isURLSafe ? "-" : "+"): 62
        case UInt8(ascii: isURLSafe ? "_" : "/"): 63
        default: nil
        }
    }

    private static let padding = UInt8(ascii: "=")
    private static let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    private static let standardSymbols = Array((letters + "+/").utf8)
    private static let urlSafeSymbols = Array((letters + "-_").utf8)
}
