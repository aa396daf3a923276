/// The address of a host, to tell public ones from all others.
///
/// Sources: IANA's special-purpose address registries for IPv4 (RFC 6890) and IPv6.
enum IPAddress: Equatable {
    /// Four bytes in the order of the text.
    case v4([UInt8])
    /// Sixteen bytes in the order of the text.
    case v6([UInt8])

    var isPublic: Bool {
        switch self {
        case .v4(let bytes): !Self.specialBlocks.contains { bytes.starts(with: $0.prefix, bits: $0.bits) }
        case .v6(let bytes): Self.isPublic(v6: bytes)
        }
    }

    private static let specialBlocks: [(prefix: [UInt8], bits: Int)] = [
        ([0], 8), ([10], 8), ([100, 64], 10), ([127], 8), ([169, 254], 16), ([172, 16], 12), ([192, 0, 0], 24),
        ([192, 0, 2], 24), ([192, 88, 99], 24), ([192, 168], 16), ([198, 18], 15), ([198, 51, 100], 24),
        ([203, 0, 113], 24), ([224], 3),
    ]

    private static func isPublic(v6 bytes: [UInt8]) -> Bool {
        // Translated by NAT64: the last four bytes are an IPv4 address.
        if bytes.starts(with: [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0], bits: 96) {
            return v4(Array(bytes[12...])).isPublic
        }
        // An IPv4 address as such ("mapped").
        if bytes.starts(with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], bits: 96) {
            return v4(Array(bytes[12...])).isPublic
        }
        // 6to4: an IPv4 address after the prefix.
        if bytes.starts(with: [0x20, 0x02], bits: 16) { return v4(Array(bytes[2..<6])).isPublic }
        // Of the rest only 2000::/3 is given out for the Internet, but for Teredo and its like (2001::/23) and the
        // documentation's.
        return bytes.starts(with: [0x20], bits: 3)
            && !bytes.starts(with: [0x20, 0x01, 0], bits: 23)
            && !bytes.starts(with: [0x20, 0x01, 0x0D, 0xB8], bits: 32)
            && !bytes.starts(with: [0x3F, 0xFF, 0], bits: 20)
    }
}

extension IPAddress: CustomStringConvertible {
    var description: String {
        switch self {
        case .v4(let bytes): bytes.map(String.init).joined(separator: ".")
        case .v6(let bytes):
            stride(from: 0, to: 16, by: 2).map { index in
                String(Int(bytes[index]) << 8 | Int(bytes[index + 1]), radix: 16)
            }.joined(separator: ":")
        }
    }
}

extension [UInt8] {
    /// Whether the first `bits` are those of `prefix`.
    fileprivate func starts(with prefix: [UInt8], bits: Int) -> Bool {
        let whole = bits / 8
        guard count >= prefix.count, self[..<whole] == prefix[..<whole] else { return false }
        guard bits % 8 > 0 else { return true }
        let shift = 8 - bits % 8
        return self[whole] >> shift == prefix[whole] >> shift
    }
}
