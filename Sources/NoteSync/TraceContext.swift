/// Trace of a job, handed on to the peers as the header `traceparent`.
///
/// Source: W3C Trace Context, level 1.
struct TraceContext: Sendable {
    private let traceID: String
    private let flags: String

    /// Goes on with the given trace, or begins one if there is none that can be read.
    init(continuing traceparent: String?) {
        let parts = (traceparent ?? "").split(separator: "-", omittingEmptySubsequences: false)
        if parts.count >= 4, parts[0].count == 2, parts[0] != "ff", Self.isHex(parts[0]),
            parts[1].count == 32, Self.isHex(parts[1]), parts[1].contains(where: { $0 != "0" }),
            parts[2].count == 16, Self.isHex(parts[2]), parts[3].count == 2, Self.isHex(parts[3])
        {
            traceID = String(parts[1])
            flags = String(parts[3])
        } else {
            traceID = Self.hex(.random(in: 1 ... .max)) + Self.hex(.random(in: 0 ... .max))
            flags = "00"
        }
    }

    /// The header's value for one request.
    func traceparent() -> String {
        "00-\(traceID)-\(Self.hex(.random(in: 1 ... .max)))-\(flags)"
    }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static func isHex(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
    }
}
